// How agents are isolated in containers: the `container:` block as the backend needs it.
//
// Validated values; the names are those of the configuration keys.
#pragma once

#include "egress/reach.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay {

enum class ContainerHome {
  kKeep,   // a directory of the session on the host, mounted over the user's home
  kTmpfs,  // memory, gone with the container
  kImage,  // what the image has there
};

enum class ImagePull { kMissing, kAlways, kNever };

// What SELinux is told of a mount: whose label its files get.
enum class MountLabel {
  kNone,     // as they are
  kShared,   // of every container (z)
  kPrivate,  // of this container alone (Z)
};

struct ExtraVolume {
  std::string source;  // absolute path of the host, or the name of a volume
  std::string target;
  bool read_only = true;
  MountLabel label = MountLabel::kNone;
};

// How an agent's connections come from its container to the broker.
enum class EgressCarrier {
  kAuto,   // as the Engine makes possible; not once the options fit one
  kUnix,   // by a socket of the relay that is mounted
  kStdio,  // by the streams of a command in the container
};

inline std::string_view carrier_name(EgressCarrier carrier) {
  return carrier == EgressCarrier::kStdio ? "stdio" : "unix";
}

// The way out of agents that have no network.
struct ContainerEgress {
  egress::Reach reach;
  std::uint16_t port = 9180;  // of 127.0.0.1 inside the container
  std::size_t max_connections = 256;
  std::string init_program;  // path of acp-agent-init
  EgressCarrier carrier = EgressCarrier::kAuto;
};

using NameValues = std::vector<std::pair<std::string, std::string>>;

struct ContainerOptions {
  std::string image;
  std::vector<std::string> command;  // empty: the image's own
  NameValues environment;            // agent.env
  std::uint64_t memory_limit = 0;    // bytes; 0: none; swap is never added
  double cpu_limit = 0;              // CPUs; 0: none
  std::int64_t pids_limit = 0;       // 0: none
  NameValues ulimits;                // name -> "soft[:hard]", -1 is unlimited
  std::string network_mode = "none";
  bool readonly_rootfs = false;
  std::vector<std::string> tmpfs;  // "/path[:options]"
  std::vector<std::string> drop_capabilities;
  std::vector<std::string> security_opt;
  std::string user;  // empty: the image's
  bool init = true;
  ContainerHome home = ContainerHome::kKeep;
  std::uint64_t max_fork_bytes = 10ull << 30;  // of a session's directories, copied for a fork
  std::string runtime;                         // empty: the Engine's default
  std::string workspace_base_dir;
  MountLabel selinux_label = MountLabel::kNone;  // of what lies in it
  std::vector<std::string> mount_roots;
  std::vector<ExtraVolume> extra_volumes;
  bool auto_remove = true;
  ImagePull pull_policy = ImagePull::kMissing;
  std::chrono::milliseconds pull_timeout{600'000};
  std::chrono::milliseconds startup_timeout{30'000};
  std::size_t max_concurrent_starts = 0;  // 0: twice the number of cores
  std::string log_driver = "json-file";
  NameValues log_opts;
  std::string docker_host;  // empty: DOCKER_HOST, then the default socket
  NameValues labels;
  ContainerEgress egress;

  std::size_t max_line_bytes = 32u << 20;
  std::size_t max_stderr_bytes = 64u << 10;
  unsigned stderr_lines_per_second = 50;  // shown in the log; the rest is counted
  std::string helper_program;             // path of acp-workspace-helper
  // Takes secrets out of a line of stderr before it is logged or reported. Empty: nothing to do.
  std::function<std::string(std::string)> redact;
};

// One set of values: a start keeps to it over all its steps, and its container for its life, while
// another may take its place for later ones.
using SharedContainerOptions = std::shared_ptr<const ContainerOptions>;

}  // namespace relay
