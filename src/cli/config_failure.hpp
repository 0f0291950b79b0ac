// A configuration that a command can't go by.
#pragma once

#include "cli/failure.hpp"
#include "config/load.hpp"

#include <string>

namespace relay::cli {

// kConfig where it says what may not be said, kError where it can't be read.
ExitCode exit_code_of(const config::LoadResult& refused);

// With all its problems.
Failure cannot_use(const std::string& file, const config::LoadResult& refused);

}  // namespace relay::cli
