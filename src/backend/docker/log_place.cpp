#include "backend/docker/log_place.hpp"

#include <algorithm>
#include <utility>

namespace relay {
LogSkip::LogSkip(LogPlace place)
    : place_(place),
      state_(place.bytes == 0 ? State::kReached : State::kBefore),
      left_(place.bytes) {}

std::string_view LogSkip::take(std::string_view bytes) {
  while (state_ == State::kBefore && !bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view part = bytes.substr(0, newline);
    const std::uint64_t counted = counted_bytes(part);
    if (counted > left_) {
      // A place lies at the end of a line; only where its newline is lost does another line follow.
      std::size_t end = 0;
      for (; left_ > 0 || !counts_in_position(part[end]); ++end) {
        if (counts_in_position(part[end])) --left_;
      }
      counter_.take(part.substr(0, end));
      counter_.take("\n");
      bytes.remove_prefix(end);
      finish();
      break;
    }
    left_ -= counted;
    counter_.take(bytes.substr(0, part.size() + (newline == std::string_view::npos ? 0 : 1)));
    bytes.remove_prefix(std::min(bytes.size(), part.size() + 1));
    if (newline == std::string_view::npos) break;
    const std::uint64_t first = counter_.position().first_line;
    if (first != 0 && first != place_.first_line) {
      state_ = State::kOtherLog;
    } else if (left_ == 0) {
      finish();
    }
  }
  return state_ == State::kReached ? bytes : std::string_view();
}

void LogSkip::finish() {
  const bool is_the_place = counter_.position().first_line == place_.first_line &&
                            counter_.position().last_line == place_.last_line;
  state_ = is_the_place ? State::kReached : State::kOtherLog;
}

void LogSearch::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t size =
        std::min(bytes.size(), newline == std::string_view::npos ? newline : newline + 1);
    counter_.take(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (newline == std::string_view::npos) return;
    const OutputPosition& now = counter_.position();
    if (now.last_line == last_line_) place_ = LogPlace{now.bytes, now.first_line, last_line_};
  }
}

}  // namespace relay
