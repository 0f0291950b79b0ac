#include "cli/preflight/place_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay::cli::preflight {
namespace {

std::string address(const PortFacts& facts) {
  const bool is_v6 = facts.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", facts.host, is_v6 ? "]" : "", facts.port);
}

Finding held_by_relay(std::string name, const std::string& what, pid_t relay) {
  return {std::move(name),
          Verdict::kWarning,
          fmt::format("{} is in use by a relay that runs with this configuration (process {})",
                      what, relay),
          {},
          {fmt::format("stop process {} before another one is started", relay)}};
}

}  // namespace

pid_t running_relay(const std::vector<PortFacts>& ports, const DatabaseFacts& database) {
  if (database.holder == 0) return 0;
  const bool listens = std::ranges::any_of(ports, [&database](const PortFacts& port) {
    return port.taken && port.taken->pid == database.holder;
  });
  return listens ? database.holder : 0;
}

Finding port_finding(const PortFacts& facts, pid_t relay) {
  std::string name = "port." + facts.name;
  if (!facts.failure) {
    return {
        std::move(name), Verdict::kGood,
        facts.port == 0 ? "any that is free (" + facts.key + ": 0)" : address(facts) + " is free"};
  }
  Finding finding = bad(std::move(name), *facts.failure);
  if (!facts.taken) return finding;
  const Listener& taken = *facts.taken;
  if (taken.pid == relay) return held_by_relay(finding.name, address(facts), relay);
  finding.told =
      fmt::format("{} is taken by {} (process {})", address(facts), taken.program, taken.pid);
  finding.causes.clear();
  finding.remedies = {
      fmt::format("stop process {}, or set {} to another port", taken.pid, facts.key)};
  return finding;
}

Finding database_finding(const DatabaseFacts& facts, pid_t relay) {
  constexpr const char* kName = "database";
  if (!facts.enabled) {
    return {kName, Verdict::kGood, "none: messages are not kept (database.enabled: false)"};
  }
  if (relay != 0 && facts.holder == relay) return held_by_relay(kName, facts.path, relay);
  if (facts.failure) return bad(kName, *facts.failure);
  return {kName, Verdict::kGood,
          facts.path + (facts.exists ? ", can be written" : ", can be made")};
}

Finding workspaces_finding(const WorkspaceFacts& facts) {
  constexpr const char* kName = "workspaces";
  if (facts.failure) {
    Finding finding = bad(kName, *facts.failure);
    finding.remedies.insert(
        finding.remedies.begin(),
        facts.existed && !facts.owner.empty() && facts.owner != facts.user
            ? fmt::format("sudo chown {} {}, which belongs to {}", facts.user, facts.path,
                          facts.owner)
            : fmt::format("sudo install -d -o {} -m 711 {}", facts.user, facts.path));
    return finding;
  }
  const std::string told = facts.existed
                               ? fmt::format("{}, of {}, can be written", facts.path, facts.owner)
                               : fmt::format("{} is not there yet and can be made", facts.path);
  if (facts.selinux_enforces && !facts.has_selinux_label) {
    return {kName,
            Verdict::kWarning,
            told + "; SELinux enforces, and keeps containers from directories without their label",
            {},
            {"set container.selinux_label: private",
             "ausearch -m avc -ts recent, when an agent "
             "may not write its workspace"}};
  }
  return {kName, Verdict::kGood, told};
}

}  // namespace relay::cli::preflight
