#include "protocol/frame.hpp"

#include "protocol/json_walk.hpp"

#include <boost/json.hpp>

#include <cstring>

namespace relay {
namespace {

// In valid JSON a raw line feed or carriage return is white space between tokens, never part of a
// string.
void put_on_one_line(std::string& bytes) {
  if (std::memchr(bytes.data(), '\n', bytes.size()) == nullptr &&
      std::memchr(bytes.data(), '\r', bytes.size()) == nullptr) {
    return;
  }
  for (char& c : bytes) {
    if (c == '\n' || c == '\r') c = ' ';
  }
}

}  // namespace

Frame::Frame(std::string bytes, Envelope envelope)
    : bytes_(std::move(bytes)), envelope_(std::move(envelope)) {
  const std::string_view spelled = text(envelope_.method);
  if (spelled.find('\\') == std::string_view::npos) return;
  boost::system::error_code failure;
  const auto value = boost::json::parse("\"" + std::string(spelled) + "\"", failure);
  if (!failure) unescaped_method_ = value.as_string();
}

tl::expected<Frame, FrameError> Frame::parse(std::string bytes, const FrameLimits& limits) {
  if (bytes.capacity() < bytes.size() + kPadding) bytes.reserve(bytes.size() + kPadding);
  auto envelope = json_walk::locate(bytes, limits);
  if (!envelope) return tl::unexpected(std::move(envelope.error()));
  put_on_one_line(bytes);
  return Frame(std::move(bytes), std::move(*envelope));
}

std::string_view Frame::session_id() const {
  const std::string_view json = text(envelope_.session_id);
  return json.size() >= 2 ? json.substr(1, json.size() - 2) : std::string_view();
}

}  // namespace relay
