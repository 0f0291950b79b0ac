#include "management/readiness.hpp"

#include <algorithm>
#include <iterator>

namespace relay::management {
namespace {

struct Remedy {
  std::string_view reason, action;
};
constexpr Remedy kRemedies[] = {
    {"session_limit_reached", "close a session, or raise agent.max_concurrent_sessions"},
    {"log_unwritable",
     "see log.lastError; when the disk is full, free space where database.path lies (df -h)"},
    {"log_backlog",
     "the disk of database.path is slower than the agents are, which wait for it while more than a "
     "quarter of database.max_pending_bytes is to be written: see its load (iostat -x 1)"},
    {"wal_too_large",
     "something reads the database for long, or its disk is full: look with fuser at "
     "<database.path>-wal, and restart the relay when nothing else helps"},
    {"disk_low",
     "free space where database.path lies (df -h), set database.max_bytes, or lower "
     "readiness.min_free_bytes"},
    {"descriptors_low",
     "raise the limit of open files (ulimit -n, LimitNOFILE=), or close sessions"},
    {"session_starts_failing",
     "most sessions of the last minute did not start: read the relay's log, then acp-relay "
     "preflight"},
    {"turns_failing",
     "most turns of the last minute failed for want of the agent: read the relay's log and what "
     "the agent wrote to stderr"},
    {"canary_failed",
     "the relay's own session did not start: read the relay's log, then acp-relay preflight"},
    {"agent_start_failed", "see that agent.command is there and may be executed"},
    {"docker_not_available", "see that the Docker Engine runs: docker version"},
    {"image_not_found", "pull or build container.image (docker/build.sh)"},
    {"workspace_unavailable",
     "the disk of container.workspace_base_dir is full or does not answer, or the directory is "
     "gone: look with timeout 5 df -h"},
    {"draining", "wait until the relay is back, or end it: acp-relay drain --undo"},
    {"shutting_down", "wait until the relay is back"},
};

bool mostly_fails(const metrics::RecentOutcomes::Share& share) {
  return share.attempts >= kTellingAttempts && share.failures * 2 > share.attempts;
}

}  // namespace

std::vector<std::string> not_ready_because(const ReadinessFacts& facts) {
  std::vector<std::string> reasons;
  const auto say = [&reasons](bool so, std::string_view reason) {
    if (so && std::ranges::find(reasons, reason) == reasons.end()) reasons.emplace_back(reason);
  };
  const ReadinessLimits& limits = facts.limits;
  say(facts.sessions >= facts.session_limit, "session_limit_reached");
  say(!facts.log_writable, "log_unwritable");
  say(facts.log_held_back_for > kLongHeldBack, "log_backlog");
  say(limits.max_wal_bytes > 0 && facts.wal_bytes > limits.max_wal_bytes, "wal_too_large");
  say(facts.disk_free_bytes >= 0 && facts.disk_free_bytes < limits.min_free_bytes, "disk_low");
  say(facts.open_descriptors >= 0 && facts.descriptor_limit >= 0 &&
          facts.descriptor_limit - facts.open_descriptors < kSpareDescriptors,
      "descriptors_low");
  say(mostly_fails(facts.starts), "session_starts_failing");
  say(mostly_fails(facts.turns), "turns_failing");
  for (const std::string& other : facts.others) say(true, other);
  return reasons;
}

std::map<std::string, bool> each_reason(const std::vector<std::string>& reasons) {
  std::map<std::string, bool> each{{"other", false}};
  for (const Remedy& known : kRemedies) each.emplace(known.reason, false);
  for (const std::string& reason : reasons) {
    const auto known = each.find(reason);
    (known == each.end() ? each.at("other") : known->second) = true;
  }
  return each;
}

std::string_view remedy(std::string_view reason) {
  const auto* const known = std::ranges::find(kRemedies, reason, &Remedy::reason);
  return known == std::end(kRemedies) ? std::string_view() : known->action;
}

}  // namespace relay::management
