#include "frontend/acp/acp_endpoint.hpp"

#include "base/finally.hpp"
#include "base/random_id.hpp"
#include "frontend/acp/acp_errors.hpp"
#include "frontend/acp/acp_rules.hpp"
#include "frontend/acp/acp_websocket.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/log_room.hpp"
#include "frontend/params.hpp"
#include "frontend/trace_headers.hpp"
#include "http/judged.hpp"
#include "http/media_type.hpp"
#include "protocol/rpc.hpp"

namespace relay::frontend {
namespace {

Error bad_request(std::string explanation, std::string remedy) {
  return make_error(ErrorType::kInvalidRequest, std::move(explanation)).suggest(std::move(remedy));
}

Error from_clients_eyes(const AcpRefusal& refusal) {
  return bad_request(refusal.explanation, refusal.remedy);
}

}  // namespace

AcpEndpoint::AcpEndpoint(RelayApi& api, Metrics& metrics, AcpOptions options)
    : api_(api), metrics_(metrics), options_(std::move(options)) {}

http::Response AcpEndpoint::refusal(int status, const Error& error, std::string_view id) {
  metrics_.count_error(error);
  http::Response response = json_response(status, rpc::error(id, error, rpc::Dialect::kAcp));
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 405) response.headers.push_back({"Allow", "GET, POST, DELETE, OPTIONS"});
  if (status == 503) response.headers.push_back({"Retry-After", "5"});
  return response;
}

tl::expected<http::Principal, http::Response> AcpEndpoint::admit(const http::Request& head,
                                                                 const http::AccessRules& access) {
  if (head.method == "OPTIONS") {  // browsers send no token with it
    const auto admitted = http::admit_origin(access, head);
    return tl::unexpected(admitted ? http::preflight_response() : refusal(403, admitted.error()));
  }
  if (has_token_in_query(head)) {
    return tl::unexpected(
        refusal(401, make_error(ErrorType::kUnauthorized, "a token in the query is refused")
                         .because("addresses end up in logs and histories")
                         .suggest("send the header Authorization: Bearer <token>")));
  }
  auto principal = http::admit(access, head);
  if (!principal) {
    return tl::unexpected(refusal(http_status(principal.error().type), principal.error()));
  }
  const std::string agent = agent_of(head.path).value_or("");
  if (api_.sessions().agents().find(agent) == nullptr) {
    return tl::unexpected(refusal(404, unknown_agent(agent, api_.sessions().agents())));
  }
  const bool is_post = head.method == "POST";
  if (is_post && !http::is_media_type(head.header("Content-Type"), "application/json")) {
    return tl::unexpected(
        refusal(415, bad_request("the body must be application/json",
                                 "send the header Content-Type: application/json")));
  }
  if (!is_post && head.method != "GET" && head.method != "DELETE") {
    return tl::unexpected(
        refusal(405, bad_request("this path takes GET, POST and DELETE", "see docs/acp.md")));
  }
  return std::move(*principal);
}

http::HeadVerdict AcpEndpoint::judge(const http::Request& head, const http::AccessRules& access) {
  http::HeadVerdict verdict =
      http::judged(head, [&](const auto& request) { return admit(request, access); });
  if (head.method != "POST") verdict.max_body_bytes = http::kUnreadBodyBytes;
  return verdict;
}

Task<void> AcpEndpoint::handle(http::Exchange& exchange, const http::AccessRules& access) {
  const http::Request& request = exchange.request();
  auto principal = admit(request, access);
  if (!principal) {
    co_await answer(exchange, std::move(principal.error()));
    co_return;
  }
  const bool is_websocket = request.method == "GET" && exchange.wants_websocket();
  principal->transport = metrics::label(is_websocket ? metrics::Transport::kAcpWebSocket
                                                     : metrics::Transport::kAcpHttp);
  AcpCaller caller{std::move(*principal), agent_of(request.path).value_or("")};
  if (is_websocket) {
    co_await websocket(exchange, std::move(caller));
  } else if (request.method == "GET") {
    co_await get(exchange, std::move(caller.principal));
  } else if (request.method == "POST") {
    auto response = co_await post(exchange, std::move(caller));
    co_await answer(exchange, std::move(response));
  } else {
    auto response = co_await end_connection(request, std::move(caller.principal));
    co_await answer(exchange, std::move(response));
  }
}

Task<void> AcpEndpoint::websocket(http::Exchange& exchange, AcpCaller caller) {
  std::string subprotocol = http::chosen_subprotocol(exchange.request());
  http::Headers headers{{"Acp-Connection-Id", random_uuid()}};
  auto accepted = co_await exchange.accept_websocket(std::move(subprotocol), std::move(headers));
  if (!accepted) co_return;
  const auto client = std::make_unique<AcpWebSocket>(api_, metrics_, options_, **accepted,
                                                     std::move(caller), exchange.executor());
  ++metrics_.clients[metrics::Transport::kAcpWebSocket];
  const Finally left([this] { --metrics_.clients[metrics::Transport::kAcpWebSocket]; });
  co_await client->run();
}

tl::expected<AcpEndpoint::Connection, http::Response> AcpEndpoint::find(
    const http::Request& request, const http::Principal& principal) const {
  const auto refused = [](int status, const Error& error) {
    return tl::unexpected(json_response(status, rpc::error("null", error, rpc::Dialect::kAcp)));
  };
  const std::string_view id = request.header("Acp-Connection-Id");
  if (id.empty()) {
    return refused(400, bad_request("Missing Acp-Connection-Id",
                                    "send the header that the answer to initialize had"));
  }
  const auto found = connections_.find(id);
  // A connection of another principal, or of another agent's path, does not exist here; nor does
  // one of a role that its principal has no more.
  const bool is_there = found != connections_.end() &&
                        found->second->principal().name == principal.name &&
                        found->second->principal().role == principal.role &&
                        found->second->agent() == agent_of(request.path);
  if (!is_there) {
    return refused(404, bad_request("Unknown Acp-Connection-Id",
                                    "send initialize again, and load your sessions"));
  }
  return found->second;
}

Task<http::Response> AcpEndpoint::post(http::Exchange& exchange, AcpCaller caller) {
  const http::Request& request = exchange.request();
  auto frame = Frame::parse(std::move(exchange.request().body), options_.frame);
  if (!frame) {
    co_return refusal(refused_frame_status(frame.error().kind), rpc::to_error(frame.error()),
                      frame.error().id);
  }
  if (const auto refused = refuse_message(request, *frame)) {
    co_return refusal(refused->status, from_clients_eyes(*refused));
  }
  *frame = with_trace_of(request.headers, std::move(*frame), options_.frame);
  if (request.header("Acp-Connection-Id").empty()) {
    co_return co_await first_message(exchange, std::move(caller), std::move(*frame));
  }
  auto connection = find(request, caller.principal);
  if (!connection) co_return std::move(connection.error());
  const std::string_view session = request.header("Acp-Session-Id");
  wake_together([&] { (*connection)->post(std::move(*frame), session); });
  if (api_.sessions().log_is_behind()) co_await log_room(api_.sessions(), exchange);
  http::Response accepted;
  accepted.status = 202;
  co_return accepted;
}

Task<http::Response> AcpEndpoint::first_message(http::Exchange& exchange, AcpCaller caller,
                                                Frame frame) {
  if (connections_.size() + initializing_ >= options_.max_connections) {
    co_return refusal(503, too_many_connections(options_.max_connections), frame.id());
  }
  ++initializing_;
  const Finally done([this] { --initializing_; });
  const auto connection = std::make_shared<AcpHttpConnection>(
      api_, metrics_, options_, random_uuid(), std::move(caller), exchange.executor());
  std::string text = co_await connection->initialize(frame);
  connection->touch();
  connections_.emplace(connection->id(), connection);
  count();
  http::Response response = json_response(200, std::move(text));
  response.headers.push_back({"Acp-Connection-Id", connection->id()});
  co_return response;
}

Task<void> AcpEndpoint::get(http::Exchange& exchange, http::Principal principal) {
  const http::Request& request = exchange.request();
  std::optional<http::Response> refused;
  std::shared_ptr<AcpStream> stream;
  Connection used;
  const std::string_view last = request.header("Last-Event-ID");
  const auto last_event = last.empty() ? std::nullopt : read_sequence(last);
  const std::string session(request.header("Acp-Session-Id"));
  const auto without_stream = [this](const Error& error) {
    return refusal(error.type == ErrorType::kSessionLimitReached ? 404 : 409, error);
  };
  auto connection = find(request, principal);
  // By name: a range that would allow anything else as well does not show that streams are meant.
  if (!http::preference(request.headers, "text/event-stream").named) {
    refused = refusal(406, bad_request("a GET is answered with a stream of events",
                                       "send the header Accept: text/event-stream"));
  } else if (!connection) {
    refused = std::move(connection.error());
  } else if (!last.empty() && !last_event) {
    refused = refusal(400, bad_request("Last-Event-ID must be the id of an event",
                                       "leave it out to go on with what was not delivered"));
  } else {
    used = *connection;
    auto found = used->stream(session);
    if (found) {
      stream = std::move(*found);
    } else {
      refused = without_stream(found.error());
    }
  }
  if (refused) {
    co_await answer(exchange, std::move(*refused));
    co_return;
  }
  http::Response head;
  head.headers = {{"Content-Type", "text/event-stream"},
                  {"Cache-Control", "no-cache"},
                  {"X-Accel-Buffering", "no"},
                  {"Acp-Connection-Id", used->id()}};
  if (!session.empty()) head.headers.push_back({"Acp-Session-Id", session});
  http::add_cors_headers(request, head);
  const bool known = co_await stream->serve(exchange, head, options_.keep_alive, last_event);
  if (!known) {
    auto fresh = used->stream_from_log(session, *last_event);
    if (!fresh) {
      co_await answer(exchange, without_stream(fresh.error()));
      co_return;
    }
    stream = std::move(*fresh);
    [[maybe_unused]] const bool begun =
        co_await stream->serve(exchange, std::move(head), options_.keep_alive);
  }
  used->touch();
}

Task<http::Response> AcpEndpoint::end_connection(const http::Request& request,
                                                 http::Principal principal) {
  auto found = find(request, principal);
  if (!found) co_return std::move(found.error());
  const Connection connection = *found;
  connections_.erase(connection->id());
  count();
  co_await connection->end();
  http::Response accepted;
  accepted.status = 202;
  co_return accepted;
}

Task<void> AcpEndpoint::sweep() {
  const auto pause = std::clamp(options_.connection_timeout / 4, std::chrono::milliseconds(10),
                                std::chrono::milliseconds(5'000));
  while (true) {
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    std::vector<Connection> over;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, connection] : connections_) {
      if (connection->expired(now)) over.push_back(connection);
    }
    for (const Connection& connection : over) {
      if (!connection->expired(now)) continue;  // it was used while another one ended
      connections_.erase(connection->id());
      co_await connection->end();
    }
    count();
  }
}

Task<void> AcpEndpoint::stop() {
  const auto all = std::exchange(connections_, {});
  for (const auto& [id, connection] : all) co_await connection->end();
  count();
}

void AcpEndpoint::count() {
  metrics_.clients[metrics::Transport::kAcpHttp] = static_cast<std::int64_t>(connections_.size());
}

}  // namespace relay::frontend
