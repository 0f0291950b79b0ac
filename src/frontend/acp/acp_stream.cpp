#include "frontend/acp/acp_stream.hpp"

#include "frontend/streaming.hpp"
#include "http/event_stream.hpp"

#include <algorithm>

namespace relay::frontend {
namespace {

// Of what was written, for readers that come back.
constexpr std::size_t kKeptBytes = 1u << 20;
constexpr std::size_t kKeptEvents = 1000;

bool is_due(const Delivery& delivery) { return delivery.kind == DeliveryKind::kAttachResponse; }

}  // namespace

AcpStream::Reader::Reader(asio::any_io_executor executor)
    : scope(executor, ignore_failure), over(executor), ended(executor) {}

AcpStream::AcpStream(asio::any_io_executor executor, OutboxLimits limits, std::uint64_t& overflows,
                     Numbering numbering)
    : executor_(executor),
      numbering_(numbering),
      outbox_(std::make_shared<Outbox>(std::move(executor), limits, overflows)) {}

void AcpStream::note_written() {
  unsure_ = 0;
  while (written_.size() > kKeptEvents || (written_.size() > 1 && written_bytes_ > kKeptBytes)) {
    Written first = std::move(written_.front());
    written_.pop_front();
    written_bytes_ -= first.delivery.bytes.size();
    if (is_answer(first.delivery)) keep_answer(std::move(first));
  }
}

void AcpStream::keep_answer(Written answer) {
  answers_bytes_ += answer.delivery.bytes.size();
  answers_.push_back(std::move(answer));
  while (answers_.size() > kKeptEvents || answers_bytes_ > kKeptBytes) {
    answers_bytes_ -= answers_.front().delivery.bytes.size();
    answers_.pop_front();
  }
}

std::size_t AcpStream::held_bytes() const {
  std::size_t bytes = outbox_->queued_bytes() + written_bytes_ + answers_bytes_;
  for (const Delivery& delivery : waiting_) bytes += delivery.bytes.size();
  return bytes;
}

bool AcpStream::rewind(std::optional<std::int64_t> last) {
  std::size_t kept = written_.size() - unsure_;
  if (last) {
    const auto at = std::ranges::find(written_, *last, &Written::event);
    if (at == written_.end()) return false;
    kept = static_cast<std::size_t>(at - written_.begin()) + 1;
  }
  while (written_.size() > kept) {
    Delivery delivery = std::move(written_.back().delivery);
    written_.pop_back();
    if (numbering_ == Numbering::kCounted) --counted_;
    written_bytes_ -= delivery.bytes.size();
    if (is_due(delivery)) ++due_;
    waiting_.push_front(std::move(delivery));
  }
  unsure_ = 0;
  if (!written_.empty()) last_number_ = written_.back().place;
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

// The place is sought when the reader before has left: until then it writes on. Who names none that
// is known now does not end it.
Task<bool> AcpStream::serve(http::Exchange& exchange, http::Response head,
                            std::chrono::milliseconds keep_alive,
                            std::optional<std::int64_t> last) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  if (last && std::ranges::find(written_, *last, &Written::event) == written_.end()) {
    co_return false;
  }
  const auto reader = co_await take_over();
  const bool known = reader_ != reader || rewind(last);
  std::exception_ptr failure;
  if (known) {
    auto serving = failure_of(serve_as(reader, exchange, std::move(head), keep_alive));
    failure = co_await std::move(serving);
  }
  co_await leave(reader);
  if (failure) std::rethrow_exception(failure);
  if (!known) co_return false;
  [[maybe_unused]] const auto finished = co_await exchange.finish();
  co_return true;
}

Task<void> AcpStream::serve_as(std::shared_ptr<Reader> reader, http::Exchange& exchange,
                               http::Response head, std::chrono::milliseconds keep_alive) {
  reader->is_peer = true;
  const auto started = co_await exchange.start_stream(std::move(head));
  if (!started || reader_ != reader) co_return;
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
  const std::string text = take_batch();
  const auto written = co_await exchange.write(text);
  if (!written) co_return false;
  note_written();
  co_return true;
}

std::string AcpStream::take_batch() {
  if (waiting_.empty()) return http::sse_comment("");
  std::string text;
  while (!waiting_.empty() && text.size() < kStreamWriteBytes) {
    Delivery delivery = take_waiting();
    const std::int64_t event = numbering_ == Numbering::kCounted ? ++counted_ : delivery.sequence;
    text += http::sse_event(delivery.bytes.view(), event > 0 ? std::optional(event) : std::nullopt);
    last_number_ = std::max(last_number_, event);
    written_bytes_ += delivery.bytes.size();
    written_.push_back({event, last_number_, std::move(delivery)});
    ++unsure_;
  }
  return text;
}

Delivery AcpStream::take_waiting() {
  Delivery delivery = std::move(waiting_.front());
  waiting_.pop_front();
  if (is_due(delivery) && due_ > 0) --due_;
  return delivery;
}

// False: nothing more will come. Nothing may have come although it is true: a sign of life is due.
Task<bool> AcpStream::fetch() {
  std::vector<Delivery> batch;
  const bool open = co_await outbox_->pop(batch);
  for (Delivery& delivery : batch) waiting_.push_back(std::move(delivery));
  co_return open;
}

std::vector<Delivery> AcpStream::answers_behind(std::int64_t event) const {
  std::vector<Delivery> answers;
  const auto add = [&](const Delivery& delivery) {
    if (is_answer(delivery)) answers.push_back(delivery);
  };
  for (const auto* const written : {&answers_, &written_}) {
    for (const Written& one : *written) {
      // Whether one without a number was read with the event before it, nobody knows.
      if (one.event > 0 ? one.event > event : one.place >= event) add(one.delivery);
    }
  }
  std::ranges::for_each(waiting_, add);
  std::ranges::for_each(outbox_->queued(), add);
  return answers;
}

void AcpStream::take_answers(AcpStream& before) {
  last_number_ = before.last_number_;
  std::ranges::for_each(before.answers_, [this](const Written& one) { keep_answer(one); });
  const std::size_t arrived = before.written_.size() - before.unsure_;
  for (std::size_t index = 0; index < before.written_.size(); ++index) {
    const Written& one = before.written_[index];
    if (!is_answer(one.delivery)) continue;
    if (index < arrived) {
      keep_answer(one);
    } else {
      waiting_.push_back(one.delivery);  // twice is better than not at all
    }
  }
  std::ranges::copy_if(before.waiting_, std::back_inserter(waiting_), is_answer);
  std::erase_if(before.waiting_, is_answer);
  due_ = static_cast<std::size_t>(std::ranges::count_if(waiting_, is_due));
}

void AcpStream::expect_answers_of(const AcpStream& before, std::span<const Delivery> again) {
  const auto waited = std::ranges::count_if(before.waiting_, is_due) +
                      std::ranges::count_if(before.outbox_->queued(), is_due);
  const auto to_come = static_cast<std::ptrdiff_t>(before.due_) - waited;
  due_ = static_cast<std::size_t>(std::max<std::ptrdiff_t>(to_come, 0) +
                                  std::ranges::count_if(again, is_due));
}

void AcpStream::abandon() {
  waiting_.clear();
  outbox_->take_all();
  close();
}

// A history may be more than fits into the other outbox.
Task<void> AcpStream::forward(std::shared_ptr<Outbox> to, Event& over) {
  bool is_taken = true;
  while (is_taken && due_ > 0) {
    if (waiting_.empty()) {
      const bool open = co_await fetch();
      if (!open) break;
    }
    const Outbox::Room room = co_await to->room();
    is_taken = forward_some(*to);
  }
  over.happen();
}

// At least one message, and none behind the last answer. False: nobody takes them.
bool AcpStream::forward_some(Outbox& to) {
  std::size_t bytes = 0;
  while (!waiting_.empty() && due_ > 0) {
    Delivery delivery = take_waiting();
    bytes += delivery.bytes.size();
    const bool taken = to.push(std::move(delivery));
    if (!taken) return false;
    if (!waiting_.empty() && bytes + waiting_.front().bytes.size() > kStreamWriteBytes) break;
  }
  return true;
}

// A reader that is on its way out takes nothing more.
bool AcpStream::expect_answer() {
  ++due_;
  return !reader_ || reader_->over.happened();
}

Task<void> AcpStream::forward_answers(std::shared_ptr<Outbox> to) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  const auto reader = co_await take_over();
  if (reader_ == reader) {
    rewind(std::nullopt);
    Event& over = reader->over;
    reader->scope.spawn("forward", [this, to, &over] { return forward(to, over); });
    co_await over.wait();
  }
  co_await leave(reader);
}

}  // namespace relay::frontend
