// The preflight: looks at everything that serving with this configuration needs, one check after
// another, and tells each finding when it is known.
//
// Every check has a limit in time of its own: five seconds for a path and for a call of the Engine,
// trial_limit() for an agent. Leaves nothing behind, also when it is cancelled.
#pragma once

#include "base/async.hpp"
#include "cli/preflight/finding.hpp"
#include "config/config.hpp"

#include <functional>
#include <string>

namespace relay::cli::preflight {

struct Audience {
  std::function<void(Finding)> tell;
  std::function<void(const std::string&)> progress;  // what takes a while
};

// `config` is valid.
Task<void> examine(asio::any_io_executor executor, config::Config config, Audience audience);

}  // namespace relay::cli::preflight
