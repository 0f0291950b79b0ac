// From the command line and the environment to a Command, or to a text and an exit code.
//
// Pure: prints nothing and reads nothing. Precedence: option, environment variable, default.
#pragma once

#include "cli/command.hpp"

#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace relay::cli {

using Environment = std::map<std::string, std::string, std::less<>>;

// --help, --version, or a mistake: print and leave.
struct Leave {
  int exit_code = 0;
  std::string out;  // for stdout
  std::string err;  // for stderr
};

// `arguments` without the name of the program.
std::variant<Command, Leave> parse_command_line(const std::vector<std::string>& arguments,
                                                const Environment& environment);

}  // namespace relay::cli
