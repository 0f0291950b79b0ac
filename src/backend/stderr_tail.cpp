#include "backend/stderr_tail.hpp"

#include <algorithm>
#include <utility>

namespace relay {

void StderrTail::append(std::string_view bytes) {
  if (max_bytes_ == 0) return;
  if (bytes.size() > max_bytes_) {
    bytes.remove_prefix(bytes.size() - max_bytes_);
    wrapped_ = true;
  }
  const std::size_t growth = std::min(bytes.size(), max_bytes_ - ring_.size());
  ring_.append(bytes.substr(0, growth));
  bytes.remove_prefix(growth);
  while (!bytes.empty()) {
    wrapped_ = true;
    const std::size_t run = std::min(bytes.size(), max_bytes_ - oldest_);
    bytes.copy(ring_.data() + oldest_, run);
    bytes.remove_prefix(run);
    oldest_ = (oldest_ + run) % max_bytes_;
  }
}

std::string StderrTail::text() const {
  std::string text = ring_.substr(oldest_) + ring_.substr(0, oldest_);
  if (wrapped_) {
    const std::size_t newline = text.find('\n');
    if (newline != std::string::npos && newline + 1 < text.size()) text.erase(0, newline + 1);
  }
  return text;
}

StderrLines::Output StderrLines::push(std::string_view bytes, Time now) {
  Output output;
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    add(bytes.substr(0, newline));
    if (newline == std::string_view::npos) break;
    bytes.remove_prefix(newline + 1);
    end_line(output, now);
  }
  return output;
}

StderrLines::Output StderrLines::finish(Time now) {
  Output output;
  if (!line_.empty()) end_line(output, now);
  output.suppressed += std::exchange(suppressed_, 0);
  return output;
}

void StderrLines::add(std::string_view part) {
  line_.append(part.substr(0, kMaxLineBytes - line_.size()));
}

void StderrLines::end_line(Output& output, Time now) {
  std::string line = std::exchange(line_, {});
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return;
  if (now - window_begin_ >= std::chrono::seconds(1)) {
    window_begin_ = now;
    in_window_ = 0;
    output.suppressed += std::exchange(suppressed_, 0);
  }
  if (in_window_ >= lines_per_second_) {
    ++suppressed_;
    return;
  }
  ++in_window_;
  output.lines.push_back(std::move(line));
}

}  // namespace relay
