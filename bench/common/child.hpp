// An agent started the bare way: posix_spawn with a pipe for stdin and one for stdout.
// stderr is shared with the parent. Closing `input` asks the agent to end; nothing kills it.
// Both pipe ends are blocking and closed on exec.
#pragma once

#include "common/fd.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace relay::bench {

struct Child {
  pid_t pid = -1;
  Fd input;   // write end of its stdin
  Fd output;  // read end of its stdout
};

/// `command` is looked for in PATH when it has no slash. Ends the program when it cannot be
/// started.
Child spawn_child(const std::string& command, const std::vector<std::string>& arguments = {});

}  // namespace relay::bench
