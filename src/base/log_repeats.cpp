#include "base/log_repeats.hpp"

#include <utility>

namespace relay {
namespace {

std::string kind_of(std::string_view event, std::span<const LogField> fixed) {
  std::string kind(event);
  for (const LogField& field : fixed) {
    kind += '\0';
    if (const auto* text = std::get_if<std::string>(&field.value)) kind += *text;
  }
  return kind;
}

}  // namespace

bool LogRepeats::admit(std::string_view event, std::span<const LogField> fixed) {
  std::string name = kind_of(event, fixed);
  auto found = kinds_.find(name);
  if (found == kinds_.end()) {
    const bool has_room = kinds_.size() < kMaxKinds;
    found = kinds_.try_emplace(has_room ? std::move(name) : std::string()).first;
  }
  Kind& kind = found->second;
  if (kind.written < kLinesInWindow) {
    ++kind.written;
    return true;
  }
  if (kind.loss.lines == 0 && !found->first.empty()) {
    kind.loss.event = event;
    kind.loss.fixed.assign(fixed.begin(), fixed.end());
  }
  ++kind.loss.lines;
  ++left_out_;
  return false;
}

std::vector<LogLoss> LogRepeats::next_window(Time now) {
  std::vector<LogLoss> losses;
  if (left_out_ > 0) {
    for (auto& [name, kind] : kinds_) {
      if (kind.loss.lines > 0) losses.push_back(std::move(kind.loss));
    }
  }
  kinds_.clear();
  left_out_ = 0;
  window_begin_ = now;
  return losses;
}

}  // namespace relay
