// An agent started the bare way: posix_spawn with a pipe for stdin and one for stdout.
// stderr is shared with the parent. Closing `input` asks the agent to end; nothing kills it.
// Both pipe ends are blocking and closed on exec.
#pragma once

#include "common/fd.hpp"

#include <string>
#include <sys/types.h>

namespace relay::bench {

struct Child {
  pid_t pid = -1;
  Fd input;   // write end of its stdin
  Fd output;  // read end of its stdout
};

/// Ends the program when the command cannot be started.
Child spawn_child(const std::string& command);

}  // namespace relay::bench
