// What is found where the relay listens and writes. Pure.
#pragma once

#include "base/error.hpp"
#include "cli/preflight/finding.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace relay::cli::preflight {

struct Listener {
  pid_t pid = 0;
  std::string program;
};

struct PortFacts {
  std::string name;  // "http"
  std::string host;
  std::uint16_t port = 0;
  std::string key;                // "server.http_port"
  std::optional<Error> failure;   // why it can't be listened on
  std::optional<Listener> taken;  // by whom, where that can be told
};

struct DatabaseFacts {
  bool enabled = true;
  std::string path;
  bool exists = false;
  std::optional<Error> failure;  // why it can't be opened
  pid_t holder = 0;              // 0: no relay uses it
};

// A process that uses the database and has a port of the configuration: the relay itself, which
// runs with it; 0: there is none.
pid_t running_relay(const std::vector<PortFacts>& ports, const DatabaseFacts& database);

// What a relay that runs has is no failure.
Finding port_finding(const PortFacts& facts, pid_t relay);
Finding database_finding(const DatabaseFacts& facts, pid_t relay);

struct WorkspaceFacts {
  std::string path;
  std::optional<Error> failure;  // why sessions can't be made there
  bool existed = false;
  std::string owner;
  std::string user;  // of this program
  bool selinux_enforces = false;
  bool has_selinux_label = false;  // container.selinux_label
};
Finding workspaces_finding(const WorkspaceFacts& facts);

}  // namespace relay::cli::preflight
