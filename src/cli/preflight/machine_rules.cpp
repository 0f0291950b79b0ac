#include "cli/preflight/machine_rules.hpp"

#include <fmt/format.h>

#include <chrono>

namespace relay::cli::preflight {
namespace {

// Files that were written in another time zone, or a moment ahead.
constexpr std::chrono::hours kClockSlack(24);

// Listeners, database, journal, Engine and loop; an agent has three (in a container) or four, and a
// client one.
constexpr std::uint64_t kOwnFiles = 64;
constexpr std::uint64_t kFilesOfSession = 5;
constexpr std::uint64_t kPorts = 3;

constexpr std::uint64_t kTooLittleDisk = 100u << 20;
constexpr std::uint64_t kLittleDisk = 1u << 30;
constexpr std::uint64_t kTooFewFiles = 1'000;

std::string memory_text(const MemoryFacts& facts) {
  std::string text = facts.where + " has " + rounded_size(facts.total);
  if (facts.available) text += ", " + rounded_size(*facts.available) + " of it free";
  return text;
}

}  // namespace

Finding clock_finding(const ClockFacts& facts) {
  const std::string now = to_rfc3339(facts.now);
  const std::string keep = facts.has_systemd ? "sudo timedatectl set-ntp true, or run chronyd"
                                             : "run chronyd, or another NTP client";
  Finding finding{"clock", Verdict::kGood, now};
  if (facts.now + kClockSlack < facts.program) {
    finding.verdict = Verdict::kBad;
    finding.told += ", which is before this program was made (" + to_rfc3339(facts.program) + ")";
    finding.remedies = {"set it: sudo date -u -s 'YYYY-MM-DD hh:mm:ss'", keep};
  } else if (facts.synchronised == false) {
    finding.verdict = Verdict::kWarning;
    finding.told += ", and nothing keeps it right (the kernel: not synchronised)";
    finding.remedies = {keep + "; the host of a virtual machine may do it unseen"};
  } else if (facts.synchronised) {
    finding.told += ", synchronised";
  }
  return finding;
}

Finding open_files_finding(const OpenFilesFacts& facts) {
  const std::uint64_t sessions = kOwnFiles + kFilesOfSession * facts.sessions;
  const std::uint64_t all = sessions + kPorts * facts.connections;
  const std::string told = fmt::format(
      "{} may be open; {} sessions (agent.max_concurrent_sessions) take {}, and "
      "server.max_connections on {} ports {} more",
      facts.limit, facts.sessions, sessions, kPorts, kPorts * facts.connections);
  if (facts.limit >= all) return {"open_files", Verdict::kGood, told};
  const bool is_bad = facts.limit < sessions;
  return {"open_files",
          is_bad ? Verdict::kBad : Verdict::kWarning,
          told,
          {},
          {fmt::format("raise the hard limit: LimitNOFILE={} in the unit, ulimit -Hn, or "
                       "/etc/security/limits.conf",
                       all),
           is_bad ? "lower agent.max_concurrent_sessions" : "lower server.max_connections"}};
}

Finding memory_finding(std::string name, const MemoryFacts& facts) {
  const std::string has = memory_text(facts);
  if (facts.limit == 0) return {std::move(name), Verdict::kGood, has + "; agents have no limit"};
  const std::string limit = "container.memory_limit " + rounded_size(facts.limit);
  if (facts.total > 0 && facts.limit > facts.total) {
    return {
        std::move(name),
        Verdict::kBad,
        has + ", and " + limit + " is more: one agent could take all of it",
        {},
        {"set container.memory_limit to " + std::to_string(facts.total / 2 >> 20) + "M or less"}};
  }
  if (facts.available && facts.limit > *facts.available) {
    return {
        std::move(name),
        Verdict::kWarning,
        has + ", which is less than one agent may take: " + limit,
        {},
        {"end what else takes memory: ps aux --sort=-rss | head", "lower container.memory_limit"}};
  }
  const std::uint64_t room = facts.available.value_or(facts.total) / facts.limit;
  return {std::move(name), Verdict::kGood,
          fmt::format("{}: room for {} agents that take all of {}; {} sessions are allowed", has,
                      room, limit, facts.sessions)};
}

Finding disk_finding(std::string name, const DiskFacts& facts) {
  const std::string told =
      fmt::format("{} free at {}, for {}", rounded_size(facts.free_bytes), facts.path, facts.what);
  const std::vector<std::string> remedies = {
      fmt::format("make room: df -h {0}; df -i {0}", facts.path),
      "move it to another disk: " + facts.key};
  if (facts.free_files && *facts.free_files < kTooFewFiles) {
    return {std::move(name),
            Verdict::kBad,
            fmt::format("room for {} more files at {}, for {}", *facts.free_files, facts.path,
                        facts.what),
            {},
            remedies};
  }
  if (facts.free_bytes < kTooLittleDisk)
    return {std::move(name), Verdict::kBad, told, {}, remedies};
  if (facts.free_bytes < kLittleDisk) {
    return {std::move(name), Verdict::kWarning, told, {}, remedies};
  }
  return {std::move(name), Verdict::kGood, told};
}

}  // namespace relay::cli::preflight
