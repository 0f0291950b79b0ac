#include "protocol/frames.hpp"

#include <string_view>

namespace relay {
namespace {

bool is_empty_line(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

Frames parse_frames(std::string text, const FrameLimits& limits) {
  Frames frames;
  std::size_t end = text.find('\n');
  if (end == std::string::npos || is_empty_line(std::string_view(text).substr(end))) {
    frames.push_back(Frame::parse(std::move(text), limits));
    return frames;
  }
  auto first = Frame::parse(text.substr(0, end), limits);
  if (!first && first.error().kind == FrameError::Kind::kNotJson) {  // a part of one message
    frames.push_back(Frame::parse(std::move(text), limits));
    return frames;
  }
  frames.push_back(std::move(first));
  while (end != std::string::npos) {
    const std::size_t begin = end + 1;
    end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (!is_empty_line(line)) frames.push_back(Frame::parse(std::move(line), limits));
  }
  return frames;
}

}  // namespace relay
