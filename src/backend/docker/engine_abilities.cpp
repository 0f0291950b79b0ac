#include "backend/docker/engine_abilities.hpp"

#include "backend/docker/exit_cause.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay {
namespace {

// An Engine that does not say how many it has is taken at its word later.
bool is_above_host(const ContainerOptions& options, const engine::EngineInfo& info) {
  return info.cpus > 0 && options.cpu_limit > static_cast<double>(info.cpus);
}

}  // namespace

std::vector<std::string> unsupported_limits(const ContainerOptions& options,
                                            const engine::EngineInfo& info) {
  std::vector<std::string> texts;
  const auto ignored = [&texts](const std::string& key) {
    texts.push_back(key + " has no effect: the Engine's host lacks that control group");
  };
  if (options.memory_limit > 0 && !info.memory_limit) ignored("container.memory_limit");
  if (options.cpu_limit > 0 && !info.cpu_cfs_quota) ignored("container.cpu_limit");
  if (options.pids_limit > 0 && !info.pids_limit) ignored("container.pids_limit");
  if (options.memory_limit > 0 && info.memory_limit && !info.swap_limit) {
    texts.emplace_back(
        "container.memory_limit does not count swap: the Engine's host has no swap accounting");
  }
  return texts;
}

std::optional<std::string> fewer_cpus(const ContainerOptions& options,
                                      const engine::EngineInfo& info) {
  if (!is_above_host(options, info)) return std::nullopt;
  return fmt::format(
      "container.cpu_limit {} is more than the {} CPUs of the Engine's host, {} is used",
      options.cpu_limit, info.cpus, info.cpus);
}

std::vector<std::string> ignored_limits(const ContainerOptions& options,
                                        const engine::EngineInfo& info) {
  std::vector<std::string> texts = unsupported_limits(options, info);
  if (info.total_memory > 0 &&
      options.memory_limit > static_cast<std::uint64_t>(info.total_memory)) {
    texts.push_back("container.memory_limit " + size_text(options.memory_limit) +
                    " is more than the Engine's host has");
  }
  if (const auto fewer = fewer_cpus(options, info)) texts.push_back(*fewer);
  return texts;
}

void fit_to_host(ContainerOptions& options, const engine::EngineInfo& info) {
  if (is_above_host(options, info)) options.cpu_limit = static_cast<double>(info.cpus);
}

std::optional<std::string> root_on_host_files(const ContainerOptions& options, std::uint32_t uid) {
  const bool writes_volumes = std::ranges::any_of(
      options.extra_volumes, [](const ExtraVolume& volume) { return !volume.read_only; });
  if (uid != 0 || (options.mount_roots.empty() && !writes_volumes)) return std::nullopt;
  return fmt::format(
      "AGENTS ARE ROOT (uid 0) AND MAY WRITE TO FILES OF THE HOST by {}: a program that one leaves "
      "there with the setuid bit makes whoever runs it on the host root; set container.user to a "
      "user that is not root",
      options.mount_roots.empty() ? "container.extra_volumes" : "container.mount_roots");
}

std::optional<Error> missing_ability(const ContainerOptions& options,
                                     const engine::EngineInfo& info) {
  const auto& runtimes = info.runtimes;
  if (options.runtime.empty() || runtimes.empty() ||
      std::ranges::find(runtimes, options.runtime) != runtimes.end()) {
    return std::nullopt;
  }
  std::string known;
  for (const std::string& name : runtimes) known += (known.empty() ? "" : ", ") + name;
  return make_error(ErrorType::kContainerStartFailed,
                    "the Engine has no runtime " + options.runtime + ", it has " + known)
      .suggest("set container.runtime to one of them, or leave it empty")
      .suggest("install " + options.runtime + " and name it in /etc/docker/daemon.json")
      .with("key", "container.runtime");
}

}  // namespace relay
