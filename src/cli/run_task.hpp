// Runs one coroutine on a loop of its own until it has ended.
#pragma once

#include "base/async.hpp"
#include "cli/failure.hpp"

#include <functional>

namespace relay::cli {

// An exception that escapes is reported on stderr and becomes kError.
ExitCode run_task(const std::function<Task<ExitCode>(asio::any_io_executor)>& body);

}  // namespace relay::cli
