#include "session/outbox.hpp"

#include "base/finally.hpp"

#include <algorithm>
#include <utility>

namespace relay {

Outbox::Outbox(asio::any_io_executor executor, OutboxLimits limits, std::uint64_t& overflows)
    : ready_(executor), drained_(std::move(executor)), limits_(limits), overflows_(overflows) {}

bool Outbox::push(Delivery delivery) {
  const bool is_full =
      bytes_ + delivery.bytes.size() > limits_.bytes || queued_frames() >= limits_.frames;
  if (is_full && end_ == End::kOpen) overflow();
  if (end_ == End::kOverflow) drop(delivery);
  if (end_ != End::kOpen) return false;
  bytes_ += delivery.bytes.size();
  items_.push_back(std::move(delivery));
  if (queued_frames() == 1) ready_.notify();
  return true;
}

void Outbox::overflow() {
  if (end_ != End::kOpen) return;
  ++overflows_;
  end_ = End::kOverflow;
  timing_.reset();
  timing_taken_ = false;
  const std::vector<Delivery> dropped = std::exchange(items_, {});
  const std::size_t taken = std::exchange(first_, 0);
  bytes_ = 0;
  for (const Delivery& delivery : std::span(dropped).subspan(taken)) drop(delivery);
  ready_.notify();
  drained_.notify();
  if (overflowing_) overflowing_();
}

void Outbox::drop(const Delivery& delivery) const {
  if (dropping_ && is_answer(delivery)) dropping_(delivery);
}

void Outbox::close() {
  if (end_ == End::kOpen) end_ = End::kClosed;
  ready_.notify();
  drained_.notify();
}

void Outbox::poke() {
  poked_ = true;
  ready_.notify();
}

void Outbox::time_from(std::chrono::steady_clock::time_point since,
                       metrics::RelayTimeHistogram& into) {
  if (!timing_ && queued_frames() > 0) timing_ = Timing{since, &into, queued_frames()};
}

void Outbox::end_timing() {
  timing_->into->observe(std::chrono::steady_clock::now() - timing_->since);
  timing_.reset();
  timing_taken_ = false;
}

Task<bool> Outbox::pop(std::vector<Delivery>& into, std::size_t most) {
  into.clear();
  if (timing_taken_) end_timing();
  while (queued_frames() == 0 && !poked_) {
    if (end_ != End::kOpen) co_return false;
    const bool woken = co_await ready_.wait();
    if (!woken) co_return false;
  }
  poked_ = false;
  take(into, most);
  if (timing_) {
    timing_->waiting -= std::min(timing_->waiting, into.size());
    timing_taken_ = timing_->waiting == 0;
  }
  if (!waiting_for_room_.empty()) drained_.notify();
  co_return true;
}

std::vector<Delivery> Outbox::take_all() {
  if (!timing_taken_) timing_.reset();
  if (!waiting_for_room_.empty()) drained_.notify();
  std::vector<Delivery> all;
  take(all, std::numeric_limits<std::size_t>::max());
  return all;
}

void Outbox::take(std::vector<Delivery>& into, std::size_t most) {
  if (first_ == 0 && bytes_ <= most) {
    into.swap(items_);
    bytes_ = 0;
  } else {
    std::size_t bytes = 0;
    while (first_ < items_.size()) {
      const std::size_t size = items_[first_].bytes.size();
      if (!into.empty() && bytes + size > most) break;
      bytes += size;
      into.push_back(std::move(items_[first_++]));
    }
    bytes_ -= bytes;
    if (first_ > items_.size() / 2) {  // rarely enough to cost little for each message
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
  }
  note_taken(into);
}

Task<Outbox::Room> Outbox::room() {
  const auto place = waiting_for_room_.emplace(waiting_for_room_.end());
  // One that is cancelled when it has been woken in vain throws where it waits again.
  const Finally leave([this, place] { waiting_for_room_.erase(place); });
  const auto is_free = [&] {
    return !above_half() && !room_is_taken_ && place == waiting_for_room_.begin();
  };
  while (!is_free() && end_ == End::kOpen) {
    const bool woken = co_await drained_.wait();
    if (!woken) break;
  }
  if (std::exchange(room_is_taken_, true)) co_return Room(nullptr);  // closed, or cancelled
  co_return Room(this);
}

Outbox::Room::~Room() {
  if (outbox_ == nullptr) return;
  outbox_->room_is_taken_ = false;
  if (!outbox_->waiting_for_room_.empty()) outbox_->drained_.notify();
}

void Outbox::note_taken(const std::vector<Delivery>& taken) {
  for (const Delivery& delivery : taken) {
    if (delivery.sequence > 0) last_taken_ = delivery.sequence;
  }
}

bool Outbox::is_filling() const {
  return bytes_ / 3 >= limits_.bytes / 4 || queued_frames() / 3 >= limits_.frames / 4;
}

bool Outbox::above_half() const {
  return bytes_ > limits_.bytes / 2 || queued_frames() > limits_.frames / 2;
}

Error fell_behind() {
  return make_error(ErrorType::kSlowClient, "the client does not take its messages, closed");
}

Error answer_comes_no_more() {
  return make_error(ErrorType::kSlowClient,
                    "the client does not take the messages of the session, and was detached")
      .because("its stream was not read, or more slowly than the agent writes")
      .suggest("load the session: the agent goes on, and its messages are in the log")
      .suggest("read faster, or raise server.max_outbox_bytes");
}

}  // namespace relay
