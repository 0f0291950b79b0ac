#include "protocol/frame.hpp"

#include "protocol/json_scan.hpp"
#include "protocol/json_walk.hpp"
#include "protocol/scalar_grammar.hpp"

#include <boost/json.hpp>

#include <cstring>
#include <optional>

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

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Agents' own ways to write a message that is meant as one.
std::optional<std::string> as_meant(std::string_view bytes) {
  const auto error = object_member(bytes, "error");
  const auto result = object_member(bytes, "result");
  if (error && result && (*error == "null" || *result == "null")) {
    return without_member(bytes, *error == "null" ? "error" : "result");
  }
  if (object_member(bytes, "jsonrpc")) return std::nullopt;
  if (!error && !result && !object_member(bytes, "method")) return std::nullopt;
  return with_member(bytes, "jsonrpc", R"("2.0")");
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
  if (bytes.starts_with(kByteOrderMark)) bytes.erase(0, kByteOrderMark.size());
  mend_surrogates(bytes);
  if (bytes.capacity() < bytes.size() + kPadding) bytes.reserve(bytes.size() + kPadding);
  auto envelope = json_walk::locate(bytes, limits);
  while (!envelope && envelope.error().kind == FrameError::Kind::kInvalid &&
         limits.writer == Writer::kAgent) {
    auto meant = as_meant(bytes);
    if (!meant) break;
    bytes = std::move(*meant);
    bytes.reserve(bytes.size() + kPadding);
    envelope = json_walk::locate(bytes, limits);
  }
  if (!envelope) {
    envelope.error().excerpt = bytes.substr(0, kExcerpt);
    return tl::unexpected(std::move(envelope.error()));
  }
  put_on_one_line(bytes);
  return Frame(std::move(bytes), std::move(*envelope));
}

std::string_view Frame::session_id() const {
  const std::string_view json = text(envelope_.session_id);
  return json.size() >= 2 ? json.substr(1, json.size() - 2) : std::string_view();
}

}  // namespace relay
