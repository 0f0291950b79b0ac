#include "protocol/line_splitter.hpp"

#include <cstring>
#include <utility>

namespace relay {

namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

void LineSplitter::push(std::string_view bytes, std::vector<std::string>& lines) {
  while (!bytes.empty()) {
    const void* newline = std::memchr(bytes.data(), '\n', bytes.size());
    if (newline == nullptr) {
      hold(bytes);
      return;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data());
    const std::string_view end = bytes.substr(0, length);
    bytes.remove_prefix(length + 1);
    if (discarding_) {
      discarding_ = false;
    } else if (held_.empty()) {
      complete(end, lines);
    } else {
      complete_held(end, lines);
    }
  }
}

void LineSplitter::finish(std::vector<std::string>& lines) {
  discarding_ = false;
  if (!held_.empty()) complete_held({}, lines);
}

std::uint64_t LineSplitter::take_oversized() { return std::exchange(oversized_, 0); }

// Takes the carriage return off and decides whether the line is delivered.
bool LineSplitter::accepts(std::string_view& line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > max_line_bytes_) {
    ++oversized_;
    return false;
  }
  return !is_blank(line);
}

void LineSplitter::complete(std::string_view line, std::vector<std::string>& lines) {
  if (!accepts(line)) return;
  std::string& copy = lines.emplace_back();
  copy.reserve(line.size() + kSlack);
  copy.assign(line);
}

void LineSplitter::complete_held(std::string_view end, std::vector<std::string>& lines) {
  // Moved out, so that the splitter keeps no memory of a long line.
  std::string whole = std::exchange(held_, {});
  if (end.size() > max_line_bytes_ + 1 - whole.size()) {
    ++oversized_;
    return;
  }
  whole.reserve(whole.size() + end.size() + kSlack);
  whole.append(end);
  std::string_view line = whole;
  if (!accepts(line)) return;
  whole.resize(line.size());
  lines.push_back(std::move(whole));
}

void LineSplitter::hold(std::string_view part) {
  if (discarding_) return;
  // One byte more than the limit may still turn out to be a carriage return.
  if (part.size() > max_line_bytes_ + 1 - held_.size()) {
    ++oversized_;
    discarding_ = true;
    held_ = {};
    return;
  }
  held_.append(part);
}

}  // namespace relay
