#include "frontend/trace_headers.hpp"

#include "http/header_fields.hpp"
#include "protocol/json_text.hpp"
#include "protocol/splice.hpp"
#include "protocol/trace_context.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace relay::frontend {
namespace {

constexpr std::size_t kMaxTraceState = 512;

}  // namespace

std::string trace_members_of(const http::Headers& headers) {
  std::string_view parent;
  std::string state;
  for (const http::Header& header : headers) {
    if (http::equals_ignoring_case(header.name, "traceparent")) {
      if (!parent.empty()) return {};
      parent = http::trimmed(header.value);
    } else if (http::equals_ignoring_case(header.name, "tracestate")) {
      state.append(state.empty() ? "" : ",").append(http::trimmed(header.value));
    }
  }
  if (!parse_traceparent(parent)) return {};
  std::string members = R"("traceparent":)" + json_string(parent);
  if (!state.empty() && state.size() <= kMaxTraceState) {
    members += R"(,"tracestate":)" + json_string(state);
  }
  return members;
}

Frame with_trace_of(const http::Headers& headers, Frame frame, const FrameLimits& limits) {
  if (frame.kind() != FrameKind::kRequest) return frame;
  const auto params = params_with_trace(frame.params(), trace_members_of(headers));
  if (!params) return frame;
  Edits edits;
  edits.push_back({frame.envelope().params, *params});
  auto changed = Frame::parse(splice(frame.bytes(), std::move(edits)), limits);
  return changed ? std::move(*changed) : std::move(frame);
}

}  // namespace relay::frontend
