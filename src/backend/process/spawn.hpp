// Starting a child process: no shell, its own process group, three pipes, a pidfd, the limit of
// open files that the relay was started with. The kernel kills it when the relay is killed.
//
// Synchronous: about half a millisecond, but a directory or a program that stops to answer after
// check_request() holds it up. The caller owns the child and must end and reap it. Errors:
// agent_start_failed and workspace_unavailable, each naming cause and remedy; after an error
// nothing is left behind, or it is killed and one of the unreaped children.
#pragma once

#include "backend/process/environment.hpp"
#include "backend/process/unreaped_children.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace relay {

struct SpawnRequest {
  std::string command;            // a name to look up in PATH, or a path
  std::vector<std::string> args;  // without the command itself
  EnvironmentList environment;    // all of it
  std::string working_directory;  // absolute
};

struct ChildProcess {
  pid_t pid = -1;  // also the id of its process group
  UniqueFd pidfd;  // readable once the process has ended
  UniqueFd input;  // our ends of the pipes, non-blocking and close-on-exec
  UniqueFd output;
  UniqueFd errors;
};

// The file to execute, when the request can be carried out as far as the file system tells. May
// take as long as a file system takes to answer.
Result<std::string> check_request(const SpawnRequest& request);

// Starts `file`, which check_request() has named, and reaps those of `unreaped` that have ended.
Result<ChildProcess> spawn_checked(const SpawnRequest& request, const std::string& file,
                                   UnreapedChildren& unreaped);

// Both at once, for programs and directories of the relay's own.
Result<ChildProcess> spawn(const SpawnRequest& request, UnreapedChildren& unreaped);

// The file that `command` names: searched in the directories of `path`, or, with a slash in it,
// taken as a path (relative to where the relay was started).
Result<std::string> find_command(const std::string& command, std::string_view path);

// Whether an agent can be started in `directory`.
Result<void> check_working_directory(const std::string& directory);

}  // namespace relay
