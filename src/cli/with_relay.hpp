// Runs a command that talks to one of the relay's ports.
#pragma once

#include "base/async.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "cli/relay_client.hpp"

#include <functional>
#include <string>

namespace relay::cli {

// Failures to prepare are reported here.
ExitCode with_relay(Port port, const RelayAddress& relay, const Environment& environment,
                    const std::function<Task<ExitCode>(RelayClient&)>& body);

}  // namespace relay::cli
