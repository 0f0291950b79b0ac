// W3C trace context (https://www.w3.org/TR/trace-context/) as ACP carries it: the members
// `traceparent`, `tracestate` and `baggage` of `_meta` in the params of a message. Pure.
//
// The relay makes no spans of its own: it passes the members on as they are, and its log lines name
// the trace and the caller's span. What is not valid is no error, and names no trace.
#pragma once

#include "protocol/frame.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace relay {

struct TraceContext {
  std::string trace_id;  // 32 lower-case hexadecimal digits
  std::string span_id;   // 16: the caller's span
};

// A traceparent, without quotes: version 00 exactly, later ones as far as they can be known. Empty:
// not valid.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// The trace that a client's message is part of. Costs nothing where it names none.
std::optional<TraceContext> trace_of(const Frame& frame);
// The same by its params (JSON text), which are looked through.
std::optional<TraceContext> trace_of_params(std::string_view params);

// `"traceparent":"...","tracestate":"..."`: what the params carry of a valid trace, for the `_meta`
// of what the relay asks on account of them. Empty: nothing.
std::string trace_members(std::string_view params);

// The params with such members in their `_meta`. Empty: they stay as they are, since there are no
// members, or the params are no object or have a trace of their own, also one that is not valid.
std::optional<std::string> params_with_trace(std::string_view params, std::string_view members);

}  // namespace relay
