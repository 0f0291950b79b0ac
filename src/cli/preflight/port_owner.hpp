// Which process listens on a TCP port, from /proc: of other users' processes only root is told.
#pragma once

#include "cli/preflight/place_rules.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

namespace relay::cli::preflight {

// The inodes of sockets that listen on the port, in the text of /proc/net/tcp or tcp6. Pure.
std::set<std::uint64_t> listening_inodes(std::string_view table, std::uint16_t port);

// Reads /proc, which takes a while where many processes run: not for the loop.
std::optional<Listener> port_owner(std::uint16_t port);

// "relay-thing" of a process; empty: it is not there.
std::string program_of(pid_t pid);

}  // namespace relay::cli::preflight
