// What Frame accepts is JSON also for another parser, which finds the same id and method; and it
// stays a message when its ids are replaced.
#include "protocol/frame.hpp"
#include "protocol/splice.hpp"

#include <boost/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kAgentId = "\"agent-session-0001\"";
constexpr std::string_view kRelayId = "\"sess_00112233445566778899aabbccddeeff\"";

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Half a pair of \ud8xx\udcxx is good by the grammar; the other parser wants whole ones. A frame
// has none, since they are mended in it; the id of what was refused may.
std::string without_surrogates(std::string text) {
  for (std::size_t at = 0; at + 5 < text.size(); ++at) {
    if (text[at] != '\\') continue;
    ++at;
    const bool half = text[at] == 'u' && (text[at + 1] | 0x20) == 'd' && text[at + 2] != '\0' &&
                      std::strchr("89abcdefABCDEF", text[at + 2]) != nullptr;
    if (half) text.replace(at + 1, 2, "00");
  }
  return text;
}

json::value parse(const std::string& text, bool& good, bool& too_large) {
  json::parse_options options;
  options.max_depth = 1000;
  boost::system::error_code failure;
  json::value value = json::parse(text, failure, {}, options);
  good = !failure;
  too_large = failure == json::error::exponent_overflow;  // a limit of its own, not the grammar's
  return value;
}

json::value parse(const std::string& text, bool& good) {
  bool too_large = false;
  return parse(text, good, too_large);
}

// The span holds the JSON text of the member.
void check_member(const json::object& message, const char* key, std::string_view found) {
  const json::value* const value = message.if_contains(key);
  require((value != nullptr) == !found.empty(), "both find a member, or neither");
  if (value == nullptr) return;
  bool good = false;
  const json::value again = parse(std::string(found), good);
  require(good, "a part is JSON");
  // As text: the other parser makes not-a-number of 0e999999999, which equals nothing.
  require(json::serialize(again) == json::serialize(*value), "both find the same value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  relay::FrameLimits limits;
  limits.watched_id = kAgentId;
  const auto frame = relay::Frame::parse(input, limits);
  if (!frame) {
    require(!frame.error().explanation.empty(), "a refusal says why");
    bool id_is_json = false;
    bool id_too_large = false;
    parse(without_surrogates(frame.error().id), id_is_json, id_too_large);
    require(id_is_json || id_too_large, "an id to answer with is JSON");
    return 0;
  }
  bool is_json = false;
  bool too_large = false;
  const json::value value = parse(std::string(frame->bytes()), is_json, too_large);
  if (too_large) return 0;
  require(is_json, "what is accepted is JSON");
  require(value.is_object(), "what is accepted is an object");
  const json::object& message = value.get_object();
  require(frame->bytes().find_first_of("\r\n") == std::string_view::npos, "a frame is one line");
  const std::size_t mark = input.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  // Escapes in a method go where it needs none.
  const bool may_shrink = input.find('\\') != std::string::npos;
  const std::size_t length = frame->bytes().size() + mark;
  require(may_shrink ? length <= input.size() : length == input.size(), "a frame keeps its length");
  check_member(message, "id", frame->id());
  check_member(message, "params", frame->params());
  if (frame->is_response()) {
    check_member(message, frame->kind() == relay::FrameKind::kResult ? "result" : "error",
                 frame->result());
  } else {
    check_member(message, "method", '"' + std::string(frame->text(frame->envelope().method)) + '"');
  }

  relay::Edits edits;
  if (!frame->id().empty()) edits.push_back({frame->envelope().id, "77"});
  relay::translate_session(*frame, kAgentId, kRelayId, edits);
  const auto changed = relay::Frame::parse(relay::splice(frame->bytes(), edits), limits);
  require(changed.has_value(), "a spliced message is a message");
  require(changed->kind() == frame->kind(), "and of the same kind");
  require(changed->method() == frame->method(), "and of the same method");
  if (!frame->id().empty()) require(changed->id() == "77", "with the other id");
  for (const relay::Span& reference : changed->envelope().session_references) {
    require(changed->text(reference) != kAgentId, "no reference to the session is left");
  }
  return 0;
}
