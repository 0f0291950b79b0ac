#include "management/drain.hpp"

#include "protocol/json_text.hpp"

#include <algorithm>

namespace relay::management {
namespace {

std::string named(const std::vector<std::string>& ids) {
  std::string list = "[";
  for (std::size_t i = 0; i < std::min(ids.size(), kMaxNamedSessions); ++i) {
    if (i > 0) list += ',';
    list += json_string(ids[i]);
  }
  return list + ']';
}

}  // namespace

bool is_quiet(const DrainFacts& facts) {
  return facts.starting == 0 && facts.turns == 0 && facts.queued_prompts == 0;
}

std::string drain_view(const DrainFacts& facts) {
  const auto count = [](std::size_t number) { return static_cast<std::int64_t>(number); };
  JsonObject view;
  view.boolean("draining", facts.since.has_value());
  if (facts.since) view.text("since", to_rfc3339(*facts.since));
  return view.boolean("quiet", is_quiet(facts))
      .number("sessions", count(facts.sessions))
      .number("starting", count(facts.starting))
      .number("turns", count(facts.turns))
      .number("queuedPrompts", count(facts.queued_prompts))
      .number("permissionWaits", count(facts.permission_waits))
      .number("endingSessions", count(facts.ending.size()))
      .raw("ending", named(facts.ending))
      .number("shutdownTimeoutMs", facts.shutdown_timeout.count())
      .number("pid", facts.pid)
      .take();
}

}  // namespace relay::management
