// What the log says of clients' requests that are part of a trace. Turns without one are not in it:
// there are many, and metrics count them.
#include "session/session.hpp"
#include "session/trace_log.hpp"

namespace relay {

Logger Session::turn_log() const {
  return traced(log_, router_ ? router_->turn_trace() : std::nullopt);
}

void Session::log_turns(const Effects& effects) const {
  for (const TurnEnd& end : effects.turns_ended) {
    if (!end.trace) continue;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(end.took);
    traced(log_, end.trace)
        .info("turn ended", {{"stop_reason", end.stop_reason}, {"took_ms", took.count()}});
  }
  if (effects.prompt == 0 && effects.permissions_asked == 0) return;
  const auto trace = router_->turn_trace();
  if (!trace) return;
  const Logger log = traced(log_, trace);
  if (effects.prompt != 0) log.info("turn begins");
  if (effects.permissions_asked != 0) {
    log.info("the agent asks for permission", {{"requests", effects.permissions_asked}});
  }
}

void Session::log_refusals(const std::optional<TraceContext>& trace, const Effects& effects) const {
  if (!trace) return;
  for (const Error& error : effects.refused) {
    traced(log_, trace)
        .info("request refused",
              {{"error", to_string(error.type)}, {"explanation", error.explanation}});
  }
}

}  // namespace relay
