#include "frontend/streaming.hpp"

#include "http/cors.hpp"
#include "http/event_stream.hpp"

namespace relay::frontend {
namespace {

Task<void> write_all(http::Exchange& exchange, Outbox& outbox, StreamFormat format,
                     const std::function<bool(const Delivery&)>& is_last) {
  std::vector<Delivery> items;
  while (true) {
    const bool open = co_await outbox.pop(items);
    if (!open) co_return;
    std::string text;
    if (items.empty()) text = format == StreamFormat::kEvents ? http::sse_comment("") : "";
    bool ended = false;
    for (const Delivery& item : items) {
      text += stream_text(format, item);
      ended = is_last(item);
      if (ended) break;
      if (text.size() < kStreamWriteBytes) continue;
      const auto written = co_await exchange.write(text);
      if (!written) co_return;
      text.clear();
    }
    if (!text.empty()) {
      const auto written = co_await exchange.write(text);
      if (!written) co_return;
    }
    if (ended) co_return;
  }
}

}  // namespace

Task<void> poke_every(std::shared_ptr<Outbox> outbox, std::chrono::milliseconds every) {
  while (true) {
    const bool slept = co_await sleep_for(every);
    if (!slept) co_return;
    outbox->poke();
  }
}

http::Response stream_head(StreamFormat format) {
  http::Response head;
  head.headers = {{"Content-Type",
                   format == StreamFormat::kEvents ? "text/event-stream" : "application/x-ndjson"},
                  {"Cache-Control", "no-cache"},
                  {"X-Accel-Buffering", "no"}};
  return head;
}

std::string stream_text(StreamFormat format, const Delivery& delivery) {
  if (format == StreamFormat::kLines) {
    std::string line(delivery.bytes.view());
    line += '\n';
    return line;
  }
  const auto id = delivery.sequence > 0 ? std::optional(delivery.sequence) : std::nullopt;
  return http::sse_event(delivery.bytes.view(), id);
}

std::unique_ptr<http::PeerWatch> watch_peer(http::Exchange& exchange,
                                            std::shared_ptr<Outbox> outbox,
                                            http::HalfClosed half_closed) {
  http::PeerEvents events;
  events.gone = [outbox] { outbox->close(); };
  // A sign of life in a stream shows whether anybody reads it.
  events.half_closed = [outbox] { outbox->poke(); };
  return exchange.watch_peer(half_closed, std::move(events));
}

Task<void> stream_outbox(http::Exchange& exchange, std::shared_ptr<Outbox> outbox,
                         StreamOptions options, std::chrono::milliseconds keep_alive,
                         std::function<bool(const Delivery&)> is_last) {
  const StreamFormat format = options.format;
  http::Response head = stream_head(format);
  http::add_cors_headers(exchange.request(), head);
  const auto started = co_await exchange.start_stream(std::move(head));
  if (!started) co_return;
  if (format == StreamFormat::kEvents) {
    const std::string hello = http::sse_comment("connected");
    const auto written = co_await exchange.write(hello);
    if (!written) co_return;
  }
  const auto watch = watch_peer(exchange, outbox, options.half_closed);
  TaskScope scope(exchange.executor(), ignore_failure);
  const auto write = [&]() -> Task<void> {
    if (format == StreamFormat::kEvents) {
      scope.spawn("keep alive", [outbox, keep_alive] { return poke_every(outbox, keep_alive); });
    }
    co_await write_all(exchange, *outbox, format, is_last);
  };
  auto writing = failure_of(write());
  const auto failure = co_await std::move(writing);
  scope.cancel();
  co_await scope.join();
  if (failure) std::rethrow_exception(failure);
  if (format == StreamFormat::kEvents && outbox->end() == Outbox::End::kOverflow) {
    const std::string why = http::sse_comment("slow_client: the stream was not read");
    [[maybe_unused]] const auto told = co_await exchange.write(why);
  }
  [[maybe_unused]] const auto finished = co_await exchange.finish();
}

}  // namespace relay::frontend
