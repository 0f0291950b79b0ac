// acp-workspace-helper as a child process that is waited for in bounded time: the file system that
// it works on may answer no more, and then not even SIGKILL ends it.
//
// Errors are workspace_unavailable and name container.workspace_base_dir.
#pragma once

#include "backend/process/unreaped_children.hpp"
#include "base/async.hpp"
#include "base/error.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace relay {

// How acp-workspace-helper ended: its exit code, and what it said (of a container nothing).
struct HelperEnd {
  int code = 0;
  std::string said;
};

struct HelperLimits {
  std::chrono::milliseconds runs{0};      // then it is killed; zero: never
  std::chrono::milliseconds ends{5'000};  // so long it may take to end when it was killed
};

// While so many that were killed have not ended, no further one is started.
inline constexpr std::size_t kMostStuckHelpers = 8;

// Runs `program`, which a caller that is cancelled has killed. One that survives that is left to
// `unreaped`, which outlives the call.
Task<Result<HelperEnd>> run_helper_process(asio::any_io_executor executor, std::string program,
                                           std::vector<std::string> arguments, HelperLimits limits,
                                           UnreapedChildren& unreaped);

Error helper_failed(std::string reason);
// It has not ended within the limit.
Error helper_is_late(std::chrono::milliseconds limit);

}  // namespace relay
