// Runs the relay: builds everything from the configuration, serves until a signal, ends in order.
#pragma once

#include <string>

namespace relay::app {

struct ServeOptions {
  std::string config_path;
  bool config_given = false;  // false: config_path is the default, and may be missing
  bool verbose = false;
};

// Blocks. Returns the exit code of the process; failures have been explained on stderr.
int serve(const ServeOptions& options);

}  // namespace relay::app
