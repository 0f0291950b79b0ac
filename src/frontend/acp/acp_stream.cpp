#include "frontend/acp/acp_stream.hpp"

#include "frontend/streaming.hpp"
#include "http/event_stream.hpp"

#include <algorithm>

namespace relay::frontend {
namespace {

// Of what was written, for readers that come back.
constexpr std::size_t kKeptBytes = 1u << 20;
constexpr std::size_t kKeptEvents = 1000;

}  // namespace

AcpStream::Reader::Reader(asio::any_io_executor executor)
    : scope(executor, ignore_failure), over(executor), ended(executor) {}

AcpStream::AcpStream(asio::any_io_executor executor, OutboxLimits limits, Numbering numbering)
    : executor_(executor),
      numbering_(numbering),
      outbox_(std::make_shared<Outbox>(std::move(executor), limits)) {}

std::int64_t AcpStream::number(const Delivery& delivery) {
  return numbering_ == Numbering::kCounted ? ++counted_ : delivery.sequence;
}

void AcpStream::keep(std::int64_t event, Delivery delivery) {
  written_bytes_ += delivery.bytes.size();
  written_.push_back({event, std::move(delivery)});
  while (written_.size() > kKeptEvents || (written_.size() > 1 && written_bytes_ > kKeptBytes)) {
    written_bytes_ -= written_.front().delivery.bytes.size();
    written_.pop_front();
  }
}

bool AcpStream::rewind(std::int64_t event) {
  const auto at = std::find_if(written_.begin(), written_.end(),
                               [event](const Written& one) { return one.event == event; });
  if (at == written_.end()) return false;
  for (auto later = written_.end(); later != at + 1;) {
    --later;
    if (numbering_ == Numbering::kCounted) --counted_;
    written_bytes_ -= later->delivery.bytes.size();
    waiting_.push_front(std::move(later->delivery));
  }
  written_.erase(at + 1, written_.end());
  return true;
}

// One reader at a time. When yet another has taken over while this one waited, it is not reader_.
Task<std::shared_ptr<AcpStream::Reader>> AcpStream::take_over() {
  const auto reader = std::make_shared<Reader>(executor_);
  const auto before = std::exchange(reader_, reader);
  if (before) {
    before->over.happen();
    co_await before->ended.wait();
  }
  co_return reader;
}

Task<void> AcpStream::leave(std::shared_ptr<Reader> reader) {
  co_await asio::this_coro::throw_if_cancelled(false);
  reader->scope.cancel();
  co_await reader->scope.join();
  if (reader_ == reader) reader_.reset();
  reader->ended.happen();
}

Task<void> AcpStream::serve(http::Exchange& exchange, http::Response head,
                            std::chrono::milliseconds keep_alive) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  const auto reader = co_await take_over();
  if (reader_ == reader) {
    const auto started = co_await exchange.start_stream(std::move(head));
    if (started && reader_ == reader) {
      TaskScope& scope = reader->scope;
      Event& over = reader->over;
      scope.spawn("write", [this, &exchange, &over] { return write(exchange, over); });
      scope.spawn("keep alive",
                  [outbox = outbox_, keep_alive] { return poke_every(outbox, keep_alive); });
      http::PeerEvents events;
      events.gone = [&over] { over.happen(); };
      const auto watch = exchange.watch_peer(http::HalfClosed::kIsGone, std::move(events));
      co_await over.wait();
    }
  }
  co_await leave(reader);
  [[maybe_unused]] const auto finished = co_await exchange.finish();
}

Task<void> AcpStream::write(http::Exchange& exchange, Event& over) {
  const std::string hello = http::sse_comment("connected");
  bool open = true;
  const auto greeted = co_await exchange.write(hello);
  open = greeted.has_value();
  while (open) open = co_await write_some(exchange);
  if (outbox_->end() != Outbox::End::kOpen) {
    const std::string bye = http::sse_comment(outbox_->end() == Outbox::End::kOverflow
                                                  ? "slow_client: the stream was not read"
                                                  : "the stream has ended");
    [[maybe_unused]] const auto sent = co_await exchange.write(bye);
  }
  over.happen();
}

// False: the stream has ended, or the peer is gone.
Task<bool> AcpStream::write_some(http::Exchange& exchange) {
  if (waiting_.empty()) {
    const bool open = co_await fetch();
    if (!open) co_return false;
  }
  std::string text;
  std::size_t count = 0;
  const std::int64_t counted_before = counted_;
  std::vector<std::int64_t> events;
  for (const Delivery& delivery : waiting_) {
    if (text.size() >= kStreamWriteBytes) break;
    events.push_back(number(delivery));
    text += http::sse_event(delivery.bytes.view(),
                            events.back() > 0 ? std::optional(events.back()) : std::nullopt);
    ++count;
  }
  if (waiting_.empty()) text = http::sse_comment("");
  if (!text.empty()) {
    const auto written = co_await exchange.write(text);
    if (!written) {
      counted_ = counted_before;
      co_return false;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    keep(events[i], std::move(waiting_.front()));
    waiting_.pop_front();
  }
  co_return true;
}

// False: nothing more will come. Nothing may have come although it is true: a sign of life is due.
Task<bool> AcpStream::fetch() {
  std::vector<Delivery> batch;
  const bool open = co_await outbox_->pop_all(batch);
  for (Delivery& delivery : batch) waiting_.push_back(std::move(delivery));
  co_return open;
}

void AcpStream::move_answers_to(AcpStream& other) {
  for (Delivery& delivery : outbox_->take_all()) waiting_.push_back(std::move(delivery));
  for (Delivery& delivery : waiting_) {
    const bool in_replay =
        delivery.kind == DeliveryKind::kUpdate || delivery.kind == DeliveryKind::kNotification;
    if (!in_replay) other.outbox_->push(std::move(delivery));
  }
  waiting_.clear();
  close();
}

Task<void> AcpStream::forward(std::shared_ptr<Outbox> to, Event& over) {
  bool answered = false;
  bool open = true;
  while (open && !answered) {
    while (!waiting_.empty() && !answered) {
      answered = waiting_.front().kind == DeliveryKind::kAttachResponse;
      to->push(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    if (!answered) open = co_await fetch();
  }
  over.happen();
}

Task<void> AcpStream::forward_until_response(std::shared_ptr<Outbox> to) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  const auto reader = co_await take_over();
  if (reader_ == reader) {
    Event& over = reader->over;
    reader->scope.spawn("forward", [this, to, &over] { return forward(to, over); });
    co_await over.wait();
  }
  co_await leave(reader);
}

}  // namespace relay::frontend
