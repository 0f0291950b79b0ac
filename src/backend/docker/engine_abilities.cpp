#include "backend/docker/engine_abilities.hpp"

#include "backend/docker/exit_cause.hpp"

#include <algorithm>

namespace relay {

std::vector<std::string> ignored_limits(const ContainerOptions& options,
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
  if (info.total_memory > 0 &&
      options.memory_limit > static_cast<std::uint64_t>(info.total_memory)) {
    texts.push_back("container.memory_limit " + size_text(options.memory_limit) +
                    " is more than the Engine's host has");
  }
  return texts;
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
