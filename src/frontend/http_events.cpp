// GET /session/{id}/events: everything of a session, from any point on.
#include "base/finally.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/streaming.hpp"
#include "http/media_type.hpp"
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

http::Response no_content() {
  http::Response response;
  response.status = 204;
  response.headers = {{"Cache-Control", "no-store"}};
  return response;
}

// The page as events; `after` moves on to its end.
std::string events_of(const SessionId& id, const storage::HistoryPage& page,
                      storage::Sequence& after) {
  std::string text;
  const auto tell_gap = [&](const storage::Gap& gap) {
    text += stream_text(StreamFormat::kEvents, {gap_notice(id, gap), gap.to, {}});
    after = gap.to;
  };
  const auto show = [&](const storage::MessageRecord& message) {
    after = message.sequence;
    if (!is_replayed(message, true)) return;
    text += stream_text(StreamFormat::kEvents,
                        {message.body, message.sequence, delivery_kind(message)});
  };
  storage::in_order(page, tell_gap, show);
  return text;
}

// A place ahead of the session's end is moved back there, and the reader is told.
std::string end_of(const storage::SessionRecord& record, storage::Sequence& after) {
  if (after <= record.last_sequence) return {};
  const storage::Gap gap{record.last_sequence + 1, after};
  after = record.last_sequence;
  return stream_text(StreamFormat::kEvents, {gap_notice(record.id, gap), after, {}});
}

}  // namespace

Task<void> RelayHttp::events(http::Exchange& exchange, http::Principal principal, std::string id) {
  if (http::preference(exchange.request().headers, "text/event-stream").weight == 0) {
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
  traits.knows_extensions = false;
  const auto live = api_.find_live(principal, id);
  if (live) {
    co_await live_events(exchange, live, traits, *after, actor_of(principal));
    co_return;
  }
  const auto record = co_await api_.find_record(std::move(principal), std::move(id));
  if (!record) {
    auto response = error_response("null", record.error());
    response.status = record.error().type == ErrorType::kSessionNotFound ? 404 : response.status;
    co_await answer(exchange, std::move(response));
    co_return;
  }
  co_await past_events(exchange, *record, *after);
}

Task<void> RelayHttp::live_events(http::Exchange& exchange, std::shared_ptr<Session> session,
                                  ClientTraits traits, storage::Sequence after,
                                  storage::Actor actor) {
  auto outbox =
      std::make_shared<Outbox>(exchange.executor(), options_.outbox, metrics_.slow_clients);
  Attachment attachment;
  attachment.traits = traits;
  attachment.outbox = outbox;
  attachment.after = after;
  attachment.feed = true;
  attachment.closes = true;
  attachment.actor = std::move(actor);
  const auto client = session->attach(std::move(attachment));
  if (!client) {
    auto response = error_response("null", client.error());
    co_await answer(exchange, std::move(response));
    co_return;
  }
  const auto never = [](const Delivery&) { return false; };
  ++metrics_.clients[metrics::Transport::kRelayHttp];
  const StreamOptions options{StreamFormat::kEvents, http::HalfClosed::kIsGone};
  const Finally left([&] {
    --metrics_.clients[metrics::Transport::kRelayHttp];
    session->detach(*client);
  });
  co_await stream_outbox(exchange, outbox, options, options_.keep_alive, never);
}

// A browser's EventSource connects again after every end, but for 204: then it has everything.
Task<void> RelayHttp::past_events(http::Exchange& exchange, storage::SessionRecord record,
                                  storage::Sequence after) {
  bool started = false;
  bool more = true;
  std::string text = end_of(record, after);
  while (more) {
    const auto page =
        co_await api_.sessions().history(record.id, after, kEventPageMessages, kEventPageBytes);
    if (!page && !started) {
      auto response = error_response("null", page.error());
      co_await answer(exchange, std::move(response));
      co_return;
    }
    if (!page) co_return;  // cut off, which no reader takes for the end
    text += events_of(record.id, *page, after);
    more = !page->complete;
    if (!started) {
      const bool has_all = text.empty() && !more && record.closed_at;
      http::Response head = stream_head(StreamFormat::kEvents);
      if (has_all) head = no_content();
      http::add_cors_headers(exchange.request(), head);
      started = true;
      if (has_all) {
        [[maybe_unused]] const auto sent = co_await exchange.respond(std::move(head));
        co_return;
      }
      const auto sent = co_await exchange.start_stream(std::move(head));
      if (!sent) co_return;
    }
    if (text.empty()) continue;
    const auto written = co_await exchange.write(text);
    if (!written) co_return;
    text.clear();
  }
  [[maybe_unused]] const auto finished = co_await exchange.finish();
}

}  // namespace relay::frontend
