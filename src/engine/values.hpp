// What the Docker Engine answers, as far as the relay needs it. Plain values; readers.hpp makes
// them out of JSON. Field names follow the Engine API (docs.docker.com, version 1.41).
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace relay::engine {

using Labels = std::vector<std::pair<std::string, std::string>>;

// An API version, 1.41 for example.
struct ApiVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const ApiVersion&) const = default;
  std::string to_string() const { return std::to_string(major) + "." + std::to_string(minor); }
};

struct EngineVersion {
  std::string version;  // "20.10.24"
  ApiVersion api;       // the newest it speaks
  ApiVersion min_api;
  std::string os, architecture, kernel;
  bool podman = false;  // a Docker-compatible socket of Podman
};

// What the host can do; false: the Engine would ignore that limit, or refuse it.
struct EngineInfo {
  std::string id, name, storage_driver, cgroup_version, cgroup_driver, docker_root_dir;
  std::string operating_system;  // "Debian GNU/Linux 12 (bookworm)", "Docker Desktop"
  std::string kernel_version;    // as uname -r says on its host
  std::string default_runtime;
  std::vector<std::string> runtimes;
  std::vector<std::string>
      security_options;  // "name=seccomp,profile=default", "name=rootless", ...
  std::vector<std::string> warnings;
  bool memory_limit = false, swap_limit = false, cpu_cfs_quota = false, pids_limit = false;
  std::int64_t total_memory = 0;  // bytes
  std::int64_t cpus = 0;
};

struct ImageFacts {
  std::string id;  // "sha256:..."
  std::vector<std::string> repo_digests;
  std::string user, working_directory;
  std::vector<std::string> environment;  // "NAME=value"
  std::vector<std::string> entrypoint, command;
  std::int64_t size = 0;  // bytes
};

// `State` of a container.
struct ContainerState {
  std::string
      status;  // created, running, paused, restarting, removing, exited, dead; Podman: stopped
  bool running = false;
  bool oom_killed = false;
  int exit_code = 0;
  std::int64_t pid = 0;
  std::string error;  // why it did not start
  std::optional<WallTime> started_at;
};

struct ContainerFacts {
  std::string id, name, image_id, working_directory;
  std::string log_driver;  // "json-file"
  Labels labels;
  ContainerState state;
  std::string label(std::string_view name_of_label) const;  // empty when there is none
};

// Which part of a container's log.
struct LogSelection {
  bool output = true;
  bool errors = true;
  bool follow = false;
  bool times = false;  // in front of each record
};

struct ContainerSummary {
  std::string id, name, state;
  Labels labels;
  std::string label(std::string_view name_of_label) const;  // empty when there is none
};

// One reading of a container's counters.
struct ContainerUsage {
  std::optional<std::uint64_t> memory_bytes, memory_limit_bytes;
  std::optional<std::uint64_t> pids, pids_limit;
  std::optional<std::chrono::nanoseconds> cpu_time;  // of all its processes, since start
  // Bytes since start, of all its interfaces. Empty: it has no network of its own.
  std::optional<std::uint64_t> network_received_bytes, network_sent_bytes;
  // Bytes since start, of all its block devices; what the page cache answers is not counted.
  std::optional<std::uint64_t> disk_read_bytes, disk_written_bytes;
  std::uint64_t cpu_periods = 0;            // since start
  std::uint64_t cpu_throttled_periods = 0;  // of them cut short by the CPU limit
};

struct EngineEvent {
  std::string action;  // "die", "oom", "kill", "destroy", "start", ...
  std::string container_id;
  std::optional<int> exit_code;  // of "die"
  Labels attributes;             // labels of the container among them
};

// One line of a pull's progress.
struct PullLine {
  std::string status;                   // "Downloading", "Pull complete", ...
  std::string layer;                    // empty: about the whole
  std::int64_t current = 0, total = 0;  // bytes of the layer; 0: not said
  std::string error;
};

}  // namespace relay::engine
