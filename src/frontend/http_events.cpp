// GET /session/{id}/events: everything of a session, from any point on.
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/streaming.hpp"
#include "session/replay_view.hpp"

namespace relay::frontend {
namespace {

constexpr std::size_t kEventPageMessages = 1000;
constexpr std::size_t kEventPageBytes = 1u << 20;

// Where the reader left off: Last-Event-ID, or ?after=N for those that can't set headers.
std::optional<storage::Sequence> position(const http::Request& request) {
  if (const auto id = request.header("Last-Event-ID"); !id.empty()) return read_sequence(id);
  for (const auto& [name, value] : request.query) {
    if (name == "after") return read_sequence(value);
  }
  return 0;
}

}  // namespace

Task<void> RelayHttp::events(http::Exchange& exchange, http::Principal principal, std::string id) {
  if (!accepts(exchange.request(), "text/event-stream")) {
    auto response = not_acceptable("text/event-stream");
    co_await answer(exchange, std::move(response));
    co_return;
  }
  const auto after = position(exchange.request());
  if (!after) {
    auto response = error_response(
        "null", make_error(ErrorType::kInvalidRequest, "Last-Event-ID must be a sequence number")
                    .suggest("leave it out to get everything"));
    co_await answer(exchange, std::move(response));
    co_return;
  }
  ClientTraits traits;
  traits.may_act = principal.role != http::Role::kObserver;
  const auto live = api_.find_live(principal, id);
  if (live) {
    co_await live_events(exchange, live, traits, *after);
    co_return;
  }
  const auto record = co_await api_.find_record(std::move(principal), std::move(id));
  if (!record) {
    auto response = error_response("null", record.error());
    response.status = record.error().type == ErrorType::kSessionNotFound ? 404 : response.status;
    co_await answer(exchange, std::move(response));
    co_return;
  }
  co_await past_events(exchange, record->id, *after);
}

Task<void> RelayHttp::live_events(http::Exchange& exchange, std::shared_ptr<Session> session,
                                  ClientTraits traits, storage::Sequence after) {
  auto outbox = std::make_shared<Outbox>(exchange.executor(), options_.outbox);
  Attachment attachment;
  attachment.traits = traits;
  attachment.outbox = outbox;
  attachment.after = after;
  attachment.feed = true;
  attachment.closes = true;
  const auto client = session->attach(std::move(attachment));
  if (!client) {
    auto response = error_response("null", client.error());
    co_await answer(exchange, std::move(response));
    co_return;
  }
  const auto never = [](const Delivery&) { return false; };
  ++metrics_.clients[metrics::Transport::kRelayHttp];
  co_await stream_outbox(exchange, outbox, StreamFormat::kEvents, options_.keep_alive, never);
  --metrics_.clients[metrics::Transport::kRelayHttp];
  session->detach(*client);
}

Task<void> RelayHttp::past_events(http::Exchange& exchange, SessionId id, storage::Sequence after) {
  http::Response head = stream_head(StreamFormat::kEvents);
  add_cors_headers(exchange.request(), head);
  auto started = co_await exchange.start_stream(std::move(head));
  bool more = true;
  while (more && started) {
    const auto page =
        co_await api_.sessions().history(id, after, kEventPageMessages, kEventPageBytes);
    if (!page) break;
    std::string text;
    for (const storage::Gap& gap : page->gaps) {
      text += stream_text(StreamFormat::kEvents, {gap_notice(id, gap), gap.to, {}});
      after = std::max(after, gap.to);
    }
    for (const storage::MessageRecord& message : page->messages) {
      after = std::max(after, message.sequence);
      if (!is_replayed(message, true)) continue;
      text += stream_text(StreamFormat::kEvents,
                          {message.body, message.sequence, delivery_kind(message)});
    }
    more = !page->complete;
    if (!text.empty()) started = co_await exchange.write(text);
  }
  [[maybe_unused]] const auto finished = co_await exchange.finish();
}

}  // namespace relay::frontend
