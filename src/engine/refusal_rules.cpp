#include "engine/refusal_rules.hpp"

#include "engine/texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace relay::engine {

namespace {

constexpr const char* kVolumes = "container.extra_volumes or container.workspace_base_dir";

// The more special ones first: the text of one failure may hold the words of another.
constexpr RefusalRule kRules[] = {
    {"no space left on device", "", "", "the disk of the Engine is full",
     "df -h; docker system df; docker system prune"},
    {"disk quota exceeded", "", "", "the disk quota of the Engine is used up",
     "df -h; docker system df"},
    {"already in use", "name", "", "another container has this name",
     "docker ps -a, then docker rm -f NAME"},
    {"container-init", "", "container.init", "the Engine has no init program (Podman: catatonit)",
     "install catatonit or set container.init to false"},
    {"docker-init", "", "container.init", "the Engine has no init program",
     "install tini (docker-init) or set container.init to false"},
    {"rlimit", "", "container.ulimits",
     "the Engine can't set that limit: it is above its own hard limit",
     "lower the value in container.ulimits, or leave it out; the Engine's own: "
     "grep -i files /proc/$(pidof dockerd)/limits"},
    {"ulimit", "", "container.ulimits", "the Engine does not know or can't set that limit",
     "correct container.ulimits, or leave it empty"},
    {"seccomp", "", "container.security_opt", "the seccomp profile can't be used",
     "check the profile that container.security_opt names, or leave it out"},
    {"apparmor", "", "container.security_opt", "the AppArmor profile can't be used",
     "load the profile on the host (apparmor_parser), or leave it out of container.security_opt"},
    {"selinux", "", "container.security_opt", "the SELinux label can't be used",
     "check container.security_opt"},
    {"security-opt", "", "container.security_opt", "the Engine does not know a security option",
     "check container.security_opt"},
    {"security option", "", "container.security_opt", "the Engine does not know a security option",
     "check container.security_opt"},
    {"unknown runtime", "", "container.runtime", "the Engine has no such runtime",
     "docker info | grep -i runtimes, and set container.runtime to one of them"},
    {"unknown or invalid runtime", "", "container.runtime", "the Engine has no such runtime",
     "docker info | grep -i runtimes, and set container.runtime to one of them"},
    {"attempted to invoke a command that was not found", "", "container.command",
     "the container's program is missing or can't be executed",
     "correct container.command, or the command of container.image"},
    {"runtime", "not found", "container.runtime", "the Engine has no such runtime",
     "docker info | grep -i runtimes, and set container.runtime to one of them"},
    {"minimum memory", "", "container.memory_limit", "the memory limit is too small",
     "raise container.memory_limit (an agent needs 256M at least)"},
    {"memory limit too", "", "container.memory_limit", "the memory limit is too small",
     "raise container.memory_limit (an agent needs 256M at least)"},
    {"memory.limit_in_bytes", "", "container.memory_limit", "the memory limit can't be set",
     "raise container.memory_limit (an agent needs 256M at least)"},
    {"memory.max", "", "container.memory_limit", "the memory limit can't be set",
     "raise container.memory_limit (an agent needs 256M at least)"},
    {"range of cpus", "", "container.cpu_limit", "the host has fewer processors",
     "lower container.cpu_limit to what nproc says"},
    {"nanocpus", "", "container.cpu_limit", "the kernel can't limit processor time",
     "set container.cpu_limit to 0"},
    {"cpu cfs", "", "container.cpu_limit", "the kernel can't limit processor time",
     "set container.cpu_limit to 0"},
    {"cpu.cfs_quota", "", "container.cpu_limit", "the processor limit can't be set",
     "correct container.cpu_limit"},
    {"cpu.max", "", "container.cpu_limit", "the processor limit can't be set",
     "correct container.cpu_limit"},
    {"pids limit", "", "container.pids_limit", "the limit of processes can't be set",
     "correct container.pids_limit"},
    {"pids.max", "", "container.pids_limit", "the limit of processes can't be set",
     "correct container.pids_limit"},
    {"unknown capability", "", "container.drop_capabilities",
     "the Engine does not know one of the capabilities",
     "correct container.drop_capabilities (names as in capabilities(7), NET_RAW for example)"},
    {"invalid capability", "", "container.drop_capabilities",
     "the Engine does not know one of the capabilities",
     "correct container.drop_capabilities (names as in capabilities(7), NET_RAW for example)"},
    {"capability", "not supported", "container.drop_capabilities",
     "the host does not know one of the capabilities", "correct container.drop_capabilities"},
    {"capdrop", "", "container.drop_capabilities", "the Engine refuses one of the capabilities",
     "correct container.drop_capabilities (names as in capabilities(7), NET_RAW for example)"},
    {"tmpfs", "", "container.tmpfs", "a tmpfs can't be mounted as it is written",
     "correct container.tmpfs (/tmp:size=256m,mode=1777 for example)"},
    {"unknown mount option", "", "container.tmpfs",
     "the Engine does not know an option of a tmpfs (Podman: uid=)",
     "correct container.tmpfs (/tmp:size=256m,mode=1777 for example)"},
    {"log opt", "", "container.log_opts", "the log driver does not know one of the options",
     "correct container.log_opts for container.log_driver"},
    {"logging plugin", "", "container.log_driver", "the Engine has no such log driver",
     "docker info | grep -i log, and set container.log_driver to one of them"},
    {"log driver", "", "container.log_driver", "the Engine has no such log driver",
     "docker info | grep -i log, and set container.log_driver to one of them"},
    {"logging driver", "", "container.log_driver", "the Engine has no such log driver",
     "docker info | grep -i log, and set container.log_driver to one of them"},
    {"logger", "", "container.log_driver", "the log driver can't be used",
     "check container.log_driver and container.log_opts"},
    {"bind source path does not exist", "", kVolumes,
     "a directory to be mounted is not on the Engine's host",
     "make the directory that the message names, on the host where the Engine runs; a relay in a "
     "container needs it at the same path inside and outside"},
    {"statfs", "no such file", kVolumes, "a directory to be mounted is not on the Engine's host",
     "make the directory that the message names, on the host where the Engine runs; a relay in a "
     "container needs it at the same path inside and outside"},
    {"marked read-only", "", "container.readonly_rootfs", "the container's root is read-only",
     "put the file into a volume, or set container.readonly_rootfs to false"},
    {"read-only file system", "", "container.readonly_rootfs",
     "a mount point is missing in the image, and the root is read-only",
     "make the directory in the image, or set container.readonly_rootfs to false"},
    {"duplicate mount point", "", kVolumes, "two volumes have the same place in the container",
     "correct container.extra_volumes or container.tmpfs; for a volume at the agent's home set "
     "container.home: image"},
    {"invalid mount", "", kVolumes, "a volume can't be mounted as it is written",
     "correct container.extra_volumes (SOURCE:DESTINATION[:ro|rw])"},
    {"invalid volume", "", kVolumes, "a volume can't be mounted as it is written",
     "correct container.extra_volumes (SOURCE:DESTINATION[:ro|rw])"},
    {"error mounting", "", kVolumes, "a volume can't be mounted",
     "check the source and destination that the message names"},
    {"shared mount", "", kVolumes, "the mount's propagation is not possible on this host",
     "mount a directory of another file system"},
    {"unable to find user", "", "container.user", "the image has no such user",
     "set container.user to a user of the image or to numbers, UID:GID"},
    {"unable to find group", "", "container.user", "the image has no such group",
     "set container.user to a user of the image or to numbers, UID:GID"},
    {"no users found", "", "container.user", "the image has no such user",
     "set container.user to a user of the image or to numbers, UID:GID"},
    {"network", "not found", "container.network_mode", "the Engine has no such network",
     "docker network ls, and set container.network_mode to one of them, or docker network create"},
    {"no such network", "", "container.network_mode", "the Engine has no such network",
     "docker network ls, and set container.network_mode to one of them, or docker network create"},
    {"exec: ", "", "container.command", "the container's program is missing or can't be executed",
     "correct container.command, or the command of container.image"},
    {"exec /", "", "container.command", "the container's program is missing or can't be executed",
     "correct container.command, or the command of container.image"},
    {"executable file", "not found", "container.command",
     "the container's program is missing or can't be executed",
     "correct container.command, or the command of container.image"},
    {"no command specified", "", "container.command",
     "neither the image nor the key names a program", "set container.command"},
    {"cgroup", "", "", "the host's control groups are not as the Engine needs them",
     "docker info, and the Engine's log: journalctl -u docker -n 50"},
};

}  // namespace

std::span<const RefusalRule> refusal_rules() { return kRules; }

const RefusalRule* find_refusal_rule(std::string_view message) {
  const auto* const found = std::ranges::find_if(kRules, [message](const RefusalRule& rule) {
    return contains_ignoring_case(message, rule.part) &&
           contains_ignoring_case(message, rule.other_part);
  });
  return found == std::end(kRules) ? nullptr : found;
}

Error refused(std::string_view what, int status, std::string_view message) {
  Error error = make_error(ErrorType::kContainerStartFailed,
                           fmt::format("the Docker Engine refuses to {}: {}", what, message));
  error.state = {{"engine_message", std::string(message)}, {"engine_status", std::int64_t{status}}};
  const RefusalRule* const rule = find_refusal_rule(message);
  if (rule == nullptr) {
    error.suggested_actions = {"journalctl -u docker -n 50",
                               "compare the container section of the configuration with what the "
                               "Engine can do: docker info"};
    error.recoverable = status >= 500;
    return error;
  }
  error.possible_causes.emplace_back(rule->cause);
  error.suggested_actions.emplace_back(rule->remedy);
  if (rule->key.empty()) {
    error.recoverable = true;
  } else {
    error.suggested_actions.push_back(fmt::format("the key at fault: {}", rule->key));
    error.state.emplace_back("key", std::string(rule->key));
  }
  return error;
}

}  // namespace relay::engine
