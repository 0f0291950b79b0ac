#include "bridge/session_track.hpp"

#include <algorithm>
#include <utility>

namespace relay::bridge {

void SessionTrack::attach(std::optional<std::int64_t> at) {
  state = State::kAttached;
  if (at) last_ = std::max(*at, last_.value_or(0));
}

void SessionTrack::close() {
  if (state != State::kHeardOf) state = State::kClosed;
}

bool SessionTrack::take(MessageKind kind, std::int64_t number) {
  if (state == State::kClosed && number > last_.value_or(0)) state = State::kAttached;
  if (kind == MessageKind::kNotification) {
    if (loads_ > 0) {
      // Until the replay begins, what comes is live and above all that came before.
      if (before_load_ == 0 || number <= before_load_) replaying_ = true;
      last_ = replaying_ ? number : std::max(number, last_.value_or(0));
      return true;
    }
    if (last_ && number <= *last_) return false;
  }
  last_ = std::max(number, last_.value_or(0));
  return true;
}

void SessionTrack::begin_load() {
  if (goes_on_ || loads_++ > 0) return;
  before_load_ = last_.value_or(0);
  replaying_ = false;
}

void SessionTrack::end_load() {
  if (!std::exchange(goes_on_, false) && loads_ > 0) --loads_;
}

void SessionTrack::rewind(std::int64_t number) {
  if (last_ && *last_ >= number) last_ = number - 1;
}

void SessionTrack::drop() {
  if (state == State::kAttached || state == State::kResuming) state = State::kDropped;
  if (loads_ > 0 && replaying_) goes_on_ = true;
  loads_ = 0;
}

}  // namespace relay::bridge
