#include "protocol/frames.hpp"

#include <algorithm>
#include <string_view>

namespace relay {
namespace {

bool is_empty_line(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Visits the lines that say something.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!is_empty_line(line)) visit(line);
  }
}

FrameError too_many() {
  FrameError error;
  error.kind = FrameError::Kind::kInvalid;
  error.explanation =
      "a text may hold " + std::to_string(kMostFrames) + " messages at most; send more texts";
  return error;
}

}  // namespace

Frames parse_frames(std::string text, const FrameLimits& limits) {
  Frames frames;
  const std::size_t end = std::min(text.find('\n'), text.size());
  if (is_empty_line(std::string_view(text).substr(end))) {
    frames.push_back(Frame::parse(std::move(text), limits));
    return frames;
  }
  const auto first = Frame::parse(text.substr(0, end), limits);
  if (!first && first.error().kind == FrameError::Kind::kNotJson) {  // a part of one message
    frames.push_back(Frame::parse(std::move(text), limits));
    return frames;
  }
  std::size_t count = 0;
  for_each_line(text, [&count](std::string_view) { ++count; });
  if (count > kMostFrames) {
    frames.push_back(tl::unexpected(too_many()));
    return frames;
  }
  for_each_line(text, [&](std::string_view line) {
    frames.push_back(Frame::parse(std::string(line), limits));
  });
  return frames;
}

}  // namespace relay
