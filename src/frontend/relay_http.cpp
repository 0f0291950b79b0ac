#include "frontend/relay_http.hpp"

#include "base/as_result.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/log_room.hpp"
#include "frontend/prompt_answer.hpp"
#include "frontend/trace_headers.hpp"
#include "http/judged.hpp"
#include "http/media_type.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <array>
#include <optional>
#include <vector>

namespace relay::frontend {
namespace {

constexpr std::string_view kSessionPath = "/session/";
constexpr std::string_view kEventsSuffix = "/events";
constexpr std::array<std::string_view, 13> kMethods{
    "new",     "fork",   "prompt",   "respond",           "cancel", "close", "delete", "list",
    "history", "resume", "set_mode", "set_config_option", "request"};

// Whether the agent answers the method, in the relay's words or its own.
bool is_for_agent(std::string_view name) {
  return name == "set_mode" || name == "set_config_option" || name == "request";
}

// "new" of /session/new; empty: no such path.
std::string_view method_of(std::string_view path) {
  if (!path.starts_with(kSessionPath)) return {};
  path.remove_prefix(kSessionPath.size());
  for (const std::string_view name : kMethods) {
    if (path == name) return name;
  }
  return {};
}

// The id of /session/{id}/events.
std::optional<std::string> events_session(std::string_view path) {
  if (!path.starts_with(kSessionPath) || !path.ends_with(kEventsSuffix) ||
      path.size() <= kSessionPath.size() + kEventsSuffix.size()) {
    return std::nullopt;
  }
  path.remove_prefix(kSessionPath.size());
  path.remove_suffix(kEventsSuffix.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(path);
}

bool is_acceptable(const http::Request& request, std::string_view name) {
  if (name == "prompt") return prompt_form(request.headers).has_value();
  return http::preference(request.headers, "application/json").weight > 0;
}

http::Response not_found(const std::string& path) {
  http::Response response = error_response(
      "null", make_error(ErrorType::kMethodNotFound, "no such path: " + path.substr(0, 200))
                  .suggest("POST /session/new, /session/fork, /session/prompt, /session/respond, "
                           "/session/cancel, "
                           "/session/close, /session/delete, /session/list, /session/history, "
                           "/session/resume, /session/set_mode, /session/set_config_option, "
                           "/session/request")
                  .suggest("GET /session/{id}/events"));
  response.status = 404;
  return response;
}

http::Response method_not_allowed(std::string_view allowed) {
  http::Response response = error_response(
      "null", make_error(ErrorType::kMethodNotFound, "this path takes " + std::string(allowed)));
  response.status = 405;
  response.headers.push_back({"Allow", std::string(allowed)});
  return response;
}

http::Response unsupported_media_type() {
  http::Response response = error_response(
      "null", make_error(ErrorType::kInvalidRequest, "the body must be application/json")
                  .suggest("send the header Content-Type: application/json"));
  response.status = 415;
  return response;
}

std::optional<Error> wrong_message(const Frame& frame, std::string_view method) {
  if (frame.is_response() || frame.method() != method) {
    return make_error(ErrorType::kInvalidRequest,
                      "this path takes a request with the method " + std::string(method))
        .suggest("post the message to the path of its method");
  }
  if (frame.kind() == FrameKind::kNotification && method != acp::kCancel) {
    return make_error(ErrorType::kInvalidRequest, "the request has no id, so it can't be answered")
        .suggest(R"(add "id": 1)");
  }
  return std::nullopt;
}

}  // namespace

RelayHttp::RelayHttp(RelayApi& api, Metrics& metrics, HttpOptions options)
    : api_(api), metrics_(metrics), options_(std::move(options)) {}

http::Response RelayHttp::error_response(std::string_view id, const Error& error) {
  metrics_.count_error(error);
  return frontend::error_response(id, error);
}

tl::expected<http::Principal, http::Response> RelayHttp::admit(const http::Request& head) {
  if (head.method == "OPTIONS") {  // browsers send no token with it
    const auto admitted = http::admit_origin(*options_.access, head);
    return tl::unexpected(admitted ? http::preflight_response()
                                   : error_response("null", admitted.error()));
  }
  auto principal = http::admit(*options_.access, head);
  if (!principal) return tl::unexpected(error_response("null", principal.error()));
  if (const std::string_view name = method_of(head.path); !name.empty()) {
    if (head.method != "POST") return tl::unexpected(method_not_allowed("POST"));
    if (!http::is_media_type(head.header("Content-Type"), "application/json")) {
      return tl::unexpected(unsupported_media_type());
    }
    if (!is_acceptable(head, name)) return tl::unexpected(not_acceptable("application/json"));
  } else {
    if (!events_session(head.path)) return tl::unexpected(not_found(head.path));
    if (head.method != "GET") return tl::unexpected(method_not_allowed("GET"));
  }
  principal->transport = metrics::label(metrics::Transport::kRelayHttp);
  return std::move(*principal);
}

http::HeadVerdict RelayHttp::judge(const http::Request& head) {
  http::HeadVerdict verdict =
      http::judged(head, [this](const auto& request) { return admit(request); });
  if (head.method != "POST") verdict.max_body_bytes = http::kUnreadBodyBytes;
  return verdict;
}

Task<void> RelayHttp::handle(http::Exchange& exchange) {
  auto principal = admit(exchange.request());
  if (!principal) {
    co_await answer(exchange, std::move(principal.error()));
    co_return;
  }
  const std::string path = exchange.request().path;
  if (auto id = events_session(path)) {
    co_await events(exchange, std::move(*principal), std::move(*id));
  } else {
    co_await post(exchange, std::move(*principal), std::string(method_of(path)));
  }
}

Task<void> RelayHttp::post(http::Exchange& exchange, http::Principal principal, std::string name) {
  auto frame = Frame::parse(std::move(exchange.request().body), options_.frame);
  if (!frame) {
    auto response = error_response(frame.error().id, rpc::to_error(frame.error()));
    co_await answer(exchange, std::move(response));
    co_return;
  }
  const std::string method = "session/" + name;
  if (const auto wrong = wrong_message(*frame, method)) {
    const std::string_view id = frame->envelope().id.present() ? frame->id() : "null";
    auto response = error_response(id, *wrong);
    co_await answer(exchange, std::move(response));
    co_return;
  }
  *frame = with_trace_of(exchange.request().headers, std::move(*frame), options_.frame);
  if (method == acp::kPrompt) {
    co_await prompt(exchange, std::move(principal), std::move(*frame));
    co_return;
  }
  if (method == "session/new" || method == "session/fork") {
    co_await new_session(exchange, std::move(principal), std::move(*frame));
    co_return;
  }
  if (is_for_agent(name)) {
    co_await ask_agent(exchange, std::move(principal), std::move(*frame));
    co_return;
  }
  auto response = co_await answer_call(exchange, std::move(principal), method, std::move(*frame));
  co_await answer(exchange, std::move(response));
}

// Nobody knows the id of a session whose asker left before the answer, so it is undone, also when
// it was made in the same turn of the loop.
Task<void> RelayHttp::new_session(http::Exchange& exchange, http::Principal principal,
                                  Frame frame) {
  using namespace asio::experimental::awaitable_operators;
  Result<std::shared_ptr<Session>> session = shutting_down();
  const auto create = [&]() -> Task<void> {
    auto creating = as_result(api_.create(std::move(principal), frame));
    auto created = co_await std::move(creating);
    session = std::move(created);
  };
  auto creating = create();
  auto leaving = http::peer_gone(exchange, http::HalfClosed::kListensOn);
  const auto first = co_await (std::move(creating) || std::move(leaving));
  const bool has_left = first.index() == 1;
  http::Response response;
  if (has_left) {
    response = left_response(frame.id());
  } else if (session) {
    response =
        json_response(200, rpc::result(frame.id(), RelayApi::describe(**session, ClientId())));
  } else {
    response = error_response(frame.id(), session.error());
  }
  http::add_cors_headers(exchange.request(), response);
  const auto sent = co_await exchange.respond(std::move(response));
  if (!session || (sent && !has_left)) co_return;
  RelayApi::undo(**session);
}

Task<http::Response> RelayHttp::answer_call(http::Exchange& exchange, http::Principal principal,
                                            std::string method, Frame frame) {
  auto result = co_await perform(exchange, std::move(principal), std::move(method), frame);
  if (!frame.envelope().id.present()) {  // a notification: nothing to say
    http::Response accepted;
    accepted.status = 202;
    co_return accepted;
  }
  if (!result) co_return error_response(frame.id(), result.error());
  co_return json_response(200, rpc::result(frame.id(), *result));
}

Task<Result<std::string>> RelayHttp::perform(http::Exchange& exchange, http::Principal principal,
                                             std::string method, const Frame& frame) {
  std::string params(frame.params());
  if (method == "session/list") {
    co_return co_await api_.list(std::move(principal), std::move(params));
  }
  if (method == "session/history") {
    co_return co_await api_.history(std::move(principal), std::move(params));
  }
  if (method == "session/close") {
    co_return co_await api_.close(std::move(principal), std::move(params));
  }
  if (method == "session/delete") {
    co_return co_await api_.erase(std::move(principal), std::move(params));
  }
  if (method == "session/resume") {
    co_return co_await resume(std::move(principal), std::move(params));
  }
  if (method == "session/cancel") {
    co_return co_await cancel(exchange, std::move(principal), frame);
  }
  co_return co_await respond_to_agent(exchange, std::move(principal), frame);
}

// HTTP has no connection to replay into: the answer names the stream that does.
Task<Result<std::string>> RelayHttp::resume(http::Principal principal, std::string params) {
  const auto request = read_resume(params);
  if (!request) co_return request.error();
  const auto session = co_await api_.find(std::move(principal), request->session_id);
  if (!session) co_return session.error();
  co_return RelayApi::describe(**session, ClientId());
}

Task<Result<std::string>> RelayHttp::cancel(http::Exchange& exchange, http::Principal principal,
                                            const Frame& frame) {
  const auto request = read_resume(frame.params());
  if (!request) co_return request.error();
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/cancel");
  const auto session = co_await api_.find(std::move(principal), std::string(frame.session_id()));
  if (!session) co_return session.error();
  (*session)->cancel(frame.session_id(), frame.bytes().size());
  if (api_.sessions().log_is_behind()) co_await log_room(api_.sessions(), exchange);
  co_return std::string("{}");
}

Task<Result<std::string>> RelayHttp::respond_to_agent(http::Exchange& exchange,
                                                      http::Principal principal,
                                                      const Frame& frame) {
  const auto request = read_answer(frame.params());
  if (!request) co_return request.error();
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/respond");
  const storage::Actor actor = actor_of(principal);
  const auto session = co_await api_.find(std::move(principal), request->session_id);
  if (!session) co_return session.error();
  const auto answered = (*session)->answer(request->request_id, request->member, request->json,
                                           actor, frame.bytes().size());
  if (!answered) co_return answered.error();
  if (api_.sessions().log_is_behind()) co_await log_room(api_.sessions(), exchange);
  co_return std::string("{}");
}

}  // namespace relay::frontend
