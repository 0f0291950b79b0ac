// What agents take of the machine, read when somebody asks and at no other time.
//
// Bounded: so many agents are asked at once, each has its time and all together have theirs. Who
// does not answer stays unknown and holds nobody up. Several askers share what was read. Outlives
// the calls of look_at().
#pragma once

#include "base/async.hpp"
#include "management/cpu_meter.hpp"
#include "session/session.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace relay::management {

struct SurveyLimits {
  // Engines give a container's counters once a second, to all who wait for them.
  std::size_t at_once = 32;
  std::chrono::milliseconds call{3'000};
  // Where less is left of the time of all, nobody more is asked: the Engine would work in vain.
  std::chrono::milliseconds least{1'500};
  std::chrono::milliseconds all{5'000};
  std::chrono::milliseconds fresh{1'000};  // younger readings are good enough
};

struct AgentReading {
  CpuMeter::Clock::time_point at;
  std::optional<AgentUsage> usage;    // empty: it did not say, or not in time
  std::optional<double> cpu_percent;  // of one CPU
};

class AgentSurvey {
 public:
  using Sessions = std::vector<std::shared_ptr<Session>>;

  explicit AgentSurvey(SurveyLimits limits = {}) : limits_(limits) {}

  // Brings the readings of these up to date, as far as the time suffices. An agent that was not
  // read lately is read twice, for its CPU use.
  Task<void> look_at(Sessions sessions);

  // Null: there is none. Good until the next co_await.
  const AgentReading* of(const SessionId& session) const;

 private:
  using Clock = CpuMeter::Clock;
  struct Round;

  Task<bool> wait_for_turn(Clock::time_point deadline);
  Task<void> read(Sessions sessions, Clock::time_point deadline);
  Task<void> ask_agents(std::shared_ptr<Round> round);
  void note(const SessionId& session, std::optional<AgentUsage> usage);

  const SurveyLimits limits_;
  std::map<SessionId, AgentReading> readings_;
  CpuMeter meter_;
  std::shared_ptr<Event> under_way_;  // null: no survey is
};

}  // namespace relay::management
