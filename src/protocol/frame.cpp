#include "protocol/frame.hpp"

#include "protocol/json_scan.hpp"
#include "protocol/json_walk.hpp"
#include "protocol/scalar_grammar.hpp"

#include <boost/json.hpp>

#include <algorithm>
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

// Of a string as it is spelled between its quotes; empty when it has no escapes.
std::string without_escapes(std::string_view spelled) {
  if (spelled.find('\\') == std::string_view::npos) return {};
  boost::system::error_code failure;
  const auto value = boost::json::parse("\"" + std::string(spelled) + "\"", failure);
  return failure ? std::string() : std::string(value.as_string());
}

// Some agents can't read a method that is spelled with escapes, like "session\/list". False:
// nothing has changed.
bool spell_method_plainly(std::string& bytes, const Span& method) {
  const std::string plain =
      without_escapes(std::string_view(bytes).substr(method.offset, method.size));
  const auto needs_escapes = [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  };
  if (plain.empty() || std::any_of(plain.begin(), plain.end(), needs_escapes)) return false;
  bytes.replace(method.offset, method.size, plain);
  return true;
}

}  // namespace

Frame::Frame(std::string bytes, Envelope envelope)
    : bytes_(std::move(bytes)),
      envelope_(std::move(envelope)),
      unescaped_method_(without_escapes(text(envelope_.method))) {}

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
  if (spell_method_plainly(bytes, envelope->method)) envelope = json_walk::locate(bytes, limits);
  put_on_one_line(bytes);
  return Frame(std::move(bytes), std::move(*envelope));
}

std::string_view Frame::session_id() const {
  const std::string_view json = text(envelope_.session_id);
  return json.size() >= 2 ? json.substr(1, json.size() - 2) : std::string_view();
}

}  // namespace relay
