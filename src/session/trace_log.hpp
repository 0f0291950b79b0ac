// A log whose lines belong to a request of a client: they name the trace that it is part of, by the
// fields that pipelines of logs join by.
#pragma once

#include "base/log.hpp"
#include "protocol/trace_context.hpp"

#include <optional>

namespace relay {

inline Logger traced(const Logger& log, const std::optional<TraceContext>& trace) {
  if (!trace) return log;
  return log.with_mark("trace_id", trace->trace_id).with_mark("span_id", trace->span_id);
}

}  // namespace relay
