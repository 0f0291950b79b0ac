#include "cli/preflight/engine_rules.hpp"

#include "backend/docker/engine_abilities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace relay::cli::preflight {
namespace {

constexpr std::size_t kShownOfId = 19;  // "sha256:" and twelve digits

using Remedies = std::vector<std::string>;

bool needs_systemd(const std::string& action) {
  return action.find("systemctl") != std::string::npos ||
         action.find("journalctl") != std::string::npos;
}

std::string start_command(const EngineSurroundings& around) {
  return around.has_systemd ? "sudo systemctl start docker" : "sudo dockerd &";
}

void add_other_sockets(Remedies& remedies, const EngineSurroundings& around) {
  for (const std::string& socket : around.other_sockets) {
    remedies.push_back("set container.docker_host (or DOCKER_HOST) to unix://" + socket +
                       ", which is there");
  }
}

Remedies when_socket_is_missing(const EngineSurroundings& around) {
  Remedies remedies;
  add_other_sockets(remedies, around);
  if (around.is_installed) {
    remedies.push_back(start_command(around));
  } else {
    const bool is_known = !around.install.empty();
    remedies.push_back(is_known ? around.install
                                : "install Docker: https://docs.docker.com/engine/install/");
  }
  remedies.emplace_back(
      "set container.docker_host (or DOCKER_HOST) to the socket that it has; rootless: "
      "unix:///run/user/UID/docker.sock");
  return remedies;
}

Remedies when_socket_is_forbidden(const EngineSurroundings& around) {
  Remedies remedies;
  if (around.group_is_new) {
    remedies.push_back(fmt::format(
        "log in again, or newgrp {0}: {1} is in the group {0}, and this login does not know yet",
        around.socket_group, around.user));
  } else if (!around.socket_group.empty() && around.socket_group != "root") {
    remedies.push_back(
        fmt::format("sudo usermod -aG {} {}, then log in again", around.socket_group, around.user));
  } else {
    remedies.push_back("let a group use " + around.socket_path +
                       ": sudo groupadd -f docker, and start the Engine anew");
  }
  add_other_sockets(remedies, around);
  remedies.push_back("run the relay as a user that may use it: ls -l " + around.socket_path);
  remedies.emplace_back("use rootless Docker and name its socket in container.docker_host");
  return remedies;
}

Remedies remedies_here(const Error& error, const EngineSurroundings& around) {
  if (around.socket == SocketState::kMissing) return when_socket_is_missing(around);
  if (around.socket == SocketState::kForbidden) return when_socket_is_forbidden(around);
  Remedies remedies = error.suggested_actions;
  if (around.socket == SocketState::kNone) return remedies;
  if (!around.has_systemd && std::erase_if(remedies, needs_systemd) > 0) {
    remedies.insert(remedies.begin(), start_command(around) + ", and read what it says");
  }
  add_other_sockets(remedies, around);
  return remedies;
}

std::string pulled_when(ImagePull policy) {
  return policy == ImagePull::kAlways ? "; the relay pulls it anew as it starts" : "";
}

}  // namespace

Finding engine_missing(const Error& error, const EngineSurroundings& around, Fallback fallback) {
  Finding finding = bad("engine", error);
  finding.remedies = remedies_here(error, around);
  if (around.socket != SocketState::kNone) finding.causes.clear();  // it was looked at
  if (fallback == Fallback::kProcesses) {
    finding.verdict = Verdict::kWarning;
    finding.told += "; agents will run as processes with this user's rights";
  }
  return finding;
}

Finding engine_finding(const std::string& description, const engine::EngineInfo& info,
                       const std::string& network_mode) {
  Finding finding{"engine", Verdict::kGood, description};
  const auto warn = [&finding](const std::string& warning, std::string remedy) {
    finding.verdict = Verdict::kWarning;
    finding.told += "; it says: " + warning;
    finding.remedies.push_back(std::move(remedy));
  };
  const bool is_bridged = network_mode != "none" && network_mode != "host";
  for (const std::string& warning : info.warnings) {
    if (is_bridged && warning.find("IPv4 forwarding") != std::string::npos) {
      warn(warning, "sudo sysctl -w net.ipv4.ip_forward=1, or agents with container.network_mode " +
                        network_mode + " reach nothing");
    }
    if (warning.find("without encryption") != std::string::npos ||
        warning.find("is accessible on http") != std::string::npos) {
      warn(warning,
           "let the Engine listen on its Unix socket only, or with TLS: whoever reaches "
           "that port is root on its host");
    }
  }
  return finding;
}

Finding limits_finding(std::string name, const ContainerOptions& options,
                       const engine::EngineInfo& info) {
  Finding finding{std::move(name), Verdict::kGood, ""};
  std::string limits;
  for (const std::string& warning : unsupported_limits(options, info)) {
    limits += (limits.empty() ? "" : "; ") + warning;
  }
  if (!limits.empty()) {
    finding.remedies.emplace_back(
        "enable the control group (Debian, for memory and swap: cgroup_enable=memory "
        "swapaccount=1 on the kernel's command line), or set the key to 0");
  }
  if (const auto missing = missing_ability(options, info)) {
    finding = bad(finding.name, *missing);
  } else if (const auto fewer = fewer_cpus(options, info)) {
    limits += (limits.empty() ? "" : "; ") + *fewer;
    finding.remedies.push_back("set container.cpu_limit to " + std::to_string(info.cpus) +
                               " or less");
  }
  if (finding.verdict == Verdict::kBad) return finding;
  finding.verdict = limits.empty() ? Verdict::kGood : Verdict::kWarning;
  finding.told =
      fmt::format("cgroup v{} by {}: ", info.cgroup_version.empty() ? "?" : info.cgroup_version,
                  info.cgroup_driver.empty() ? "?" : info.cgroup_driver) +
      (limits.empty() ? "memory, CPU and process limits hold" : limits);
  return finding;
}

Finding image_finding(std::string name, const ContainerOptions& options,
                      const Result<engine::ImageFacts>& image) {
  if (image) {
    return {std::move(name), Verdict::kGood,
            fmt::format(
                "{}, {} ({}){}", options.image,
                rounded_size(static_cast<std::uint64_t>(std::max<std::int64_t>(image->size, 0))),
                image->id.substr(0, kShownOfId), pulled_when(options.pull_policy))};
  }
  Finding finding = bad(std::move(name), image.error());
  const bool is_pulled =
      image.error().type == ErrorType::kImageNotFound && options.pull_policy != ImagePull::kNever;
  if (is_pulled) {
    finding.verdict = Verdict::kWarning;
    finding.told +=
        fmt::format("; the relay pulls it as it starts, within {} s",
                    std::chrono::ceil<std::chrono::seconds>(options.pull_timeout).count());
    finding.causes.clear();
  }
  return finding;
}

}  // namespace relay::cli::preflight
