// Starts a configured agent exactly as a session would, has it answer `initialize`, and ends it.
//
// Nothing of it is left: no process, no container, no directory; also when the caller is cancelled,
// which waits until all that is gone, and finds it said in the result. No image is pulled. Ends
// within trial_limit() and the moments that clearing up takes.
#pragma once

#include "base/async.hpp"
#include "cli/preflight/agent_rules.hpp"
#include "config/config.hpp"
#include "protocol/secrets.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace relay::cli::preflight {

// `agent`: the name of a further agent; empty: the default one.
std::chrono::milliseconds trial_limit(const config::Config& config, const std::string& agent);

Task<AgentTrial> try_agent(asio::any_io_executor executor, config::Config config, std::string agent,
                           std::shared_ptr<const SecretRedactor> redactor);

}  // namespace relay::cli::preflight
