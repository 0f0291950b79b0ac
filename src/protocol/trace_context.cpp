#include "protocol/trace_context.hpp"

#include "protocol/json_scan.hpp"

#include <algorithm>
#include <array>

namespace relay {
namespace {

constexpr std::size_t kVersionSize = 2;
constexpr std::size_t kTraceIdSize = 32;
constexpr std::size_t kSpanIdSize = 16;
constexpr std::size_t kFlagsSize = 2;
constexpr std::size_t kVersion00Size =
    kVersionSize + 1 + kTraceIdSize + 1 + kSpanIdSize + 1 + kFlagsSize;

constexpr std::array<std::string_view, 3> kTraceKeys{"traceparent", "tracestate", "baggage"};

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

std::string_view meta_of(std::string_view params) {
  return object_member(params, "_meta").value_or(std::string_view());
}

// The member's string between its quotes; empty: it is missing, or none.
std::string_view text_member(std::string_view object, std::string_view key) {
  const std::string_view json = object_member(object, key).value_or(std::string_view());
  return json.starts_with('"') ? json.substr(1, json.size() - 2) : std::string_view();
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kVersion00Size) return std::nullopt;
  const std::string_view version = text.substr(0, kVersionSize);
  const std::string_view trace_id = text.substr(kVersionSize + 1, kTraceIdSize);
  const std::string_view span_id = text.substr(kVersionSize + kTraceIdSize + 2, kSpanIdSize);
  const std::string_view flags = text.substr(kVersion00Size - kFlagsSize, kFlagsSize);
  const bool is_parted = text[kVersionSize] == '-' &&
                         text[kVersionSize + 1 + kTraceIdSize] == '-' &&
                         text[kVersion00Size - kFlagsSize - 1] == '-';
  if (!is_parted || !is_lower_hex(version) || !is_lower_hex(trace_id) || !is_lower_hex(span_id) ||
      !is_lower_hex(flags)) {
    return std::nullopt;
  }
  if (version == "ff" || is_zero(trace_id) || is_zero(span_id)) return std::nullopt;
  // Later versions may have more fields behind the four.
  const bool has_more = text.size() > kVersion00Size;
  if (has_more && (version == "00" || text[kVersion00Size] != '-')) return std::nullopt;
  return TraceContext{std::string(trace_id), std::string(span_id)};
}

std::optional<TraceContext> trace_of(const Frame& frame) {
  return parse_traceparent(frame.text(frame.envelope().traceparent));
}

std::optional<TraceContext> trace_of_params(std::string_view params) {
  return parse_traceparent(text_member(meta_of(params), "traceparent"));
}

std::string trace_members(std::string_view params) {
  const std::string_view meta = meta_of(params);
  if (!parse_traceparent(text_member(meta, "traceparent"))) return {};
  std::string members;
  for (const std::string_view key : kTraceKeys) {
    const auto json = object_member(meta, key);
    if (!json || !json->starts_with('"')) continue;
    members.append(members.empty() ? "\"" : ",\"").append(key).append("\":").append(*json);
  }
  return members;
}

std::optional<std::string> params_with_trace(std::string_view params, std::string_view members) {
  if (members.empty() || !params.starts_with('{')) return std::nullopt;
  const std::string_view meta = meta_of(params);
  const bool has_own = std::ranges::any_of(
      kTraceKeys, [meta](std::string_view key) { return object_member(meta, key).has_value(); });
  if (has_own) return std::nullopt;
  return with_meta(params, members);
}

}  // namespace relay
