#include "bridge/marks.hpp"

#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"

#include <charconv>

namespace relay::bridge {
namespace {

constexpr std::string_view kSequence = "acp-relay/seq";
constexpr std::string_view kSequenceKey = R"("acp-relay/seq":)";
constexpr std::string_view kLeading = R"({"_meta":{"acp-relay/seq":)";

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// `_meta` stands first and holds nothing but the number: the relay made it.
std::optional<SequenceMark> leading_mark(std::string_view object, std::size_t offset) {
  if (!object.starts_with(kLeading)) return std::nullopt;
  const std::size_t end = object.find_first_not_of("0123456789", kLeading.size());
  if (end == std::string_view::npos || object[end] != '}' || end + 1 >= object.size()) {
    return std::nullopt;
  }
  const auto number = integer(object.substr(kLeading.size(), end - kLeading.size()));
  if (!number) return std::nullopt;
  const bool has_more = object[end + 1] == ',';
  if (!has_more && object[end + 1] != '}') return std::nullopt;
  return SequenceMark{*number, {offset + 1, end + (has_more ? 1u : 0u)}};
}

// Anywhere in a `_meta` that has other members too: only the relay's own spelling is cut.
std::optional<SequenceMark> inner_mark(std::string_view object, std::size_t offset) {
  const auto meta = object_member(object, "_meta");
  if (!meta) return std::nullopt;
  const auto value = object_member(*meta, kSequence);
  if (!value) return std::nullopt;
  const auto number = integer(*value);
  if (!number) return std::nullopt;
  SequenceMark mark{*number, {}};
  const auto at = static_cast<std::size_t>(value->data() - object.data());
  const std::size_t end = at + value->size();
  if (at < kSequenceKey.size()) return mark;
  const std::size_t begin = at - kSequenceKey.size();
  if (object.substr(begin, kSequenceKey.size()) != kSequenceKey) return mark;
  if (object[begin - 1] != '{') return mark;
  const bool has_more = object[end] == ',';
  if (!has_more && object[end] != '}') return mark;
  mark.cut = {offset + begin, end - begin + (has_more ? 1u : 0u)};
  return mark;
}

std::optional<std::vector<std::string>> ids_in_meta(std::string_view result, std::string_view key) {
  const auto meta = object_member(result, "_meta");
  const auto list = meta ? object_member(*meta, key) : std::nullopt;
  if (!list) return std::nullopt;
  std::vector<std::string> out;
  for (const std::string_view id : array_elements(*list)) out.emplace_back(id);
  return out;
}

}  // namespace

std::optional<SequenceMark> find_sequence(const Frame& frame) {
  const bool is_result = frame.kind() == FrameKind::kResult;
  if (frame.kind() == FrameKind::kError) return std::nullopt;
  const Span span = is_result ? frame.envelope().result : frame.envelope().params;
  const std::string_view object = frame.text(span);
  if (!object.starts_with('{')) return std::nullopt;
  if (const auto mark = leading_mark(object, span.offset)) return mark;
  if (object.find(kSequence) == std::string_view::npos) return std::nullopt;
  return inner_mark(object, span.offset);
}

std::string asking_for_sequence(std::string_view params) {
  constexpr std::string_view kKey = "clientCapabilities";
  constexpr std::string_view kAsk = R"("acp-relay/seq":true)";
  if (!params.starts_with('{')) params = "{}";
  const auto capabilities = object_member(params, kKey);
  if (!capabilities) {
    std::string out = "{\"" + std::string(kKey) + R"(":{"_meta":{)" + std::string(kAsk) + "}}";
    const bool empty = params.find_first_not_of(" \t\r\n", 1) == params.size() - 1;
    return out.append(empty ? "" : ",").append(params.substr(1));
  }
  const auto meta = object_member(*capabilities, "_meta");
  if (meta && object_member(*meta, kSequence)) return std::string(params);
  const auto begin = static_cast<std::size_t>(capabilities->data() - params.data());
  std::string out(params.substr(0, begin));
  return out.append(with_meta(*capabilities, kAsk))
      .append(params.substr(begin + capabilities->size()));
}

std::string resume_params(const Resumption& resumption) {
  std::string requests = "[";
  for (const std::string_view id : resumption.requests) {
    if (requests.size() > 1) requests += ',';
    requests += id;
  }
  JsonObject meta;
  if (resumption.after) meta.number("acp-relay/after", *resumption.after);
  meta.raw("acp-relay/requests", requests + "]");
  JsonObject params;
  params.raw("sessionId", resumption.session);
  if (!resumption.cwd.empty()) params.raw("cwd", resumption.cwd);
  params.raw("mcpServers", resumption.mcp_servers.empty() ? "[]" : resumption.mcp_servers);
  if (!resumption.directories.empty()) params.raw("additionalDirectories", resumption.directories);
  return params.raw("_meta", meta.take()).take();
}

std::optional<std::vector<std::string>> received_requests(std::string_view result) {
  return ids_in_meta(result, "acp-relay/requests");
}

std::vector<std::string> lost_requests(std::string_view result) {
  return ids_in_meta(result, "acp-relay/lost").value_or(std::vector<std::string>());
}

bool agent_remembers(std::string_view result) {
  const auto meta = object_member(result, "_meta");
  return !meta || object_member(*meta, "acp-relay/agentRemembers") != "false";
}

bool knows_marks(std::string_view initialize_result) {
  const auto meta = object_member(initialize_result, "_meta");
  return meta && object_member(*meta, "acp-relay").has_value();
}

std::optional<std::size_t> most_of_message(std::string_view initialize_result) {
  const std::string_view meta = object_member(initialize_result, "_meta").value_or("");
  const std::string_view about = object_member(meta, "acp-relay").value_or("");
  const auto most = integer(object_member(about, "maxMessageBytes").value_or(""));
  return most && *most > 0 ? std::optional(static_cast<std::size_t>(*most)) : std::nullopt;
}

}  // namespace relay::bridge
