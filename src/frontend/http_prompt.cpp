// POST /session/prompt: one answer at the end of the turn, or a stream of the turn.
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
  ClientTraits traits;
  traits.own_turns_only = true;
  std::shared_ptr<Session> session;
  if (!refused) {
    auto found =
        co_await api_.find_for_prompt(std::move(principal), std::string(frame.session_id()));
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
  traits.can_answer = form != PromptForm::kAnswer;
  PromptCaller caller{session, ClientId(), id, nullptr};
  caller.outbox = std::make_shared<Outbox>(exchange.executor(), options_.outbox);
  Attachment attachment;
  attachment.traits = traits;
  attachment.outbox = caller.outbox;
  attachment.closes = true;
  const auto client = session->attach(std::move(attachment));
  if (!client) {
    auto response = error_response(id, client.error());
    co_await answer(exchange, std::move(response));
    co_return;
  }
  caller.client = *client;
  ++metrics_.clients[metrics::Transport::kRelayHttp];
  session->submit(*client, std::move(frame));
  if (form == PromptForm::kAnswer) {
    co_await blocking_prompt(exchange, std::move(caller));
  } else {
    const auto is_answer = [](const Delivery& delivery) {
      return delivery.kind == DeliveryKind::kResponse;
    };
    const StreamFormat format =
        form == PromptForm::kEvents ? StreamFormat::kEvents : StreamFormat::kLines;
    const StreamOptions options{format, http::HalfClosed::kListensOn};
    co_await stream_outbox(exchange, caller.outbox, options, options_.keep_alive, is_answer);
    session->detach(*client);
  }
  --metrics_.clients[metrics::Transport::kRelayHttp];
}

Task<void> RelayHttp::blocking_prompt(http::Exchange& exchange, PromptCaller caller) {
  TaskScope scope(exchange.executor(), [](const std::string&, std::exception_ptr) {});
  watch_peer(scope, exchange, caller.outbox, http::HalfClosed::kListensOn);

  PromptAnswer collected(options_.max_message_bytes);
  std::vector<Delivery> items;
  bool open = true;
  while (open && !collected.complete()) {
    open = co_await caller.outbox->pop_all(items);
    for (Delivery& item : items) collected.add(std::move(item));
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  caller.session->detach(caller.client);
  scope.cancel();
  co_await scope.join();
  if (collected.complete()) {
    auto response = json_response(200, collected.take());
    co_await answer(exchange, std::move(response));
  } else if (caller.outbox->end() == Outbox::End::kOverflow) {
    // The turn goes on, its messages are in the history.
    auto response = error_response(
        caller.id,
        make_error(ErrorType::kSlowClient, "the turn's messages outgrew server.max_outbox_bytes")
            .suggest("ask for a stream with Accept: text/event-stream")
            .suggest("read them with GET /session/{id}/events"));
    co_await answer(exchange, std::move(response));
  } else {
    auto response = left_response(caller.id);
    co_await answer(exchange, std::move(response));
  }
}

}  // namespace relay::frontend
