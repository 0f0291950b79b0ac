// What a session asks of a backend.
#pragma once

#include "base/strong_id.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace relay {

struct LaunchSpec {
  SessionId session;
  // Where the client wants to work, absolute. Empty: the backend's own default.
  std::string working_directory;
  // Environment the client added, already checked against agent.client_env.
  std::vector<std::pair<std::string, std::string>> environment;
  // Fail with session_closed when what an earlier agent of the session left is not there any more.
  bool needs_directories = false;
  // What the session has of its own to work in begins as that of this one.
  std::optional<SessionId> copy_of;
};

}  // namespace relay
