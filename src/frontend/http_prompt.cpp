// POST /session/prompt: one answer at the end of the turn, or a stream of the turn.
#include "base/finally.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/prompt_answer.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/streaming.hpp"
#include "protocol/rpc.hpp"

namespace relay::frontend {
namespace {

Error resumed_prompt() {
  return make_error(ErrorType::kInvalidRequest,
                    "a prompt can't be resumed: Last-Event-ID would start a second turn")
      .suggest("read the rest of the cut stream with GET /session/{id}/events and Last-Event-ID");
}

}  // namespace

Task<void> RelayHttp::prompt(http::Exchange& exchange, http::Principal principal, Frame frame) {
  const std::string id(frame.id());
  std::optional<Error> refused;
  if (!exchange.request().header("Last-Event-ID").empty()) {
    refused = resumed_prompt();
  } else if (principal.role == http::Role::kObserver) {
    refused = forbidden_for_observers(frame.method());
  } else if (frame.session_id().empty()) {
    refused = make_error(ErrorType::kInvalidParams, "sessionId is missing")
                  .suggest("make a session with POST /session/new first");
  }
  storage::Actor actor = actor_of(principal);
  std::shared_ptr<Session> session;
  if (!refused) {
    auto found =
        co_await api_.find_for_prompt(std::move(principal), std::string(frame.session_id()), frame);
    if (found) {
      session = std::move(*found);
    } else {
      refused = found.error();
    }
  }
  if (refused) {
    auto response = error_response(id, *refused);
    co_await answer(exchange, std::move(response));
    co_return;
  }
  const PromptForm form = prompt_form(exchange.request().headers).value_or(PromptForm::kAnswer);
  auto caller = attach(exchange.executor(), std::move(session), id, form != PromptForm::kAnswer,
                       std::move(actor));
  if (!caller) {
    auto response = error_response(id, caller.error());
    co_await answer(exchange, std::move(response));
    co_return;
  }
  ++metrics_.clients[metrics::Transport::kRelayHttp];
  const Finally left([&] {
    --metrics_.clients[metrics::Transport::kRelayHttp];
    caller->session->detach(caller->client);
  });
  wake_together([&] { caller->session->submit(caller->client, std::move(frame)); });
  if (form == PromptForm::kAnswer) {
    co_await blocking_prompt(exchange, *caller);
  } else {
    const auto is_answer = [](const Delivery& delivery) {
      return delivery.kind == DeliveryKind::kResponse;
    };
    const StreamFormat format =
        form == PromptForm::kEvents ? StreamFormat::kEvents : StreamFormat::kLines;
    const StreamOptions options{format, http::HalfClosed::kListensOn};
    co_await stream_outbox(exchange, caller->outbox, options, options_.keep_alive, is_answer);
  }
}

Task<void> RelayHttp::blocking_prompt(http::Exchange& exchange, Caller caller) {
  PromptAnswer collected(options_.max_message_bytes);
  co_await collect(exchange, caller, collected);
  http::Response response;
  if (collected.complete()) {
    response = json_response(200, collected.take());
  } else {  // the turn goes on, its messages are in the history
    response = unanswered(caller, make_error(ErrorType::kSlowClient,
                                             "the turn's messages outgrew server.max_outbox_bytes")
                                      .suggest("ask for a stream with Accept: text/event-stream")
                                      .suggest("read them with GET /session/{id}/events"));
  }
  co_await answer(exchange, std::move(response));
}

}  // namespace relay::frontend
