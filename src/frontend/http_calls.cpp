// Requests whose answer the agent gives: session/set_mode, session/set_config_option, and with
// session/request any other method.
#include "base/finally.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/streaming.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"
#include "protocol/trace_context.hpp"

namespace relay::frontend {
namespace {

struct AgentCallOfClient {
  std::string session_id;
  Frame frame;  // for the agent
};

// What session/request wraps, or the request as it is.
Result<AgentCallOfClient> call_for_agent(Frame frame, const FrameLimits& limits) {
  if (frame.method() != "session/request") {
    std::string id(frame.session_id());
    if (id.empty()) return make_error(ErrorType::kInvalidParams, "sessionId is missing");
    return AgentCallOfClient{std::move(id), std::move(frame)};
  }
  auto wanted = read_agent_request(frame.params());
  if (!wanted) return wanted.error();
  const std::string method = json_string(wanted->method);
  const std::string_view bare = std::string_view(method).substr(1, method.size() - 2);
  auto params = params_with_trace(wanted->params, trace_members(frame.params()));
  if (params) wanted->params = std::move(*params);
  auto inner = Frame::parse(rpc::request(frame.id(), bare, wanted->params), limits);
  if (!inner) return rpc::to_error(inner.error());
  return AgentCallOfClient{std::move(wanted->session_id), std::move(*inner)};
}

}  // namespace

Result<RelayHttp::Caller> RelayHttp::attach(asio::any_io_executor executor,
                                            std::shared_ptr<Session> session, std::string_view id,
                                            bool can_answer, storage::Actor actor) {
  Caller caller{std::move(session), ClientId(), std::string(id), nullptr};
  caller.outbox =
      std::make_shared<Outbox>(std::move(executor), options_.outbox, metrics_.slow_clients);
  Attachment attachment;
  attachment.traits.own_turns_only = true;
  attachment.traits.can_answer = can_answer;
  attachment.traits.knows_extensions = false;
  attachment.outbox = caller.outbox;
  attachment.closes = true;
  attachment.actor = std::move(actor);
  attachment.for_one_request = true;
  const auto client = caller.session->attach(std::move(attachment));
  if (!client) return client.error();
  caller.client = *client;
  return caller;
}

// Returns when the answer has come, the client has left, or its outbox has ended; the caller is
// detached then.
Task<void> RelayHttp::collect(http::Exchange& exchange, Caller caller, PromptAnswer& collected) {
  const auto watch = watch_peer(exchange, caller.outbox, http::HalfClosed::kListensOn);
  std::vector<Delivery> items;
  bool open = true;
  while (open && !collected.complete()) {
    open = co_await caller.outbox->pop_all(items);
    for (Delivery& item : items) collected.add(std::move(item));
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  caller.session->detach(caller.client);
}

http::Response RelayHttp::unanswered(const Caller& caller, Error too_much) {
  if (caller.outbox->end() == Outbox::End::kOverflow) return error_response(caller.id, too_much);
  return left_response(caller.id);
}

Task<void> RelayHttp::ask_agent(http::Exchange& exchange, http::Principal principal, Frame frame) {
  const std::string id(frame.id());
  std::optional<Error> refused;
  std::optional<Caller> caller;
  if (principal.role == http::Role::kObserver) refused = forbidden_for_observers(frame.method());
  auto call = call_for_agent(std::move(frame), options_.frame);
  if (!refused && !call) refused = call.error();
  storage::Actor actor = actor_of(principal);
  if (!refused) {
    auto found = co_await api_.find(std::move(principal), call->session_id);
    if (found) {
      auto attached = attach(exchange.executor(), std::move(*found), id, false, std::move(actor));
      if (attached) {
        caller = std::move(*attached);
      } else {
        refused = attached.error();
      }
    } else {
      refused = found.error();
    }
  }
  if (refused) {
    auto response = error_response(id, *refused);
    co_await answer(exchange, std::move(response));
    co_return;
  }
  ++metrics_.clients[metrics::Transport::kRelayHttp];
  const Finally left([&] {
    --metrics_.clients[metrics::Transport::kRelayHttp];
    caller->session->detach(caller->client);
  });
  wake_together([&] { caller->session->submit(caller->client, std::move(call->frame)); });
  PromptAnswer collected(options_.max_message_bytes);
  co_await collect(exchange, *caller, collected);
  http::Response response;
  if (collected.complete()) {
    response = json_response(200, collected.take_response());
  } else {
    response = unanswered(
        *caller, make_error(ErrorType::kSlowClient, "the answer outgrew server.max_outbox_bytes")
                     .suggest("raise server.max_outbox_bytes"));
  }
  co_await answer(exchange, std::move(response));
}

}  // namespace relay::frontend
