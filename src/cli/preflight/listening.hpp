// Tries the addresses and looks at the database of a configuration, without keeping either.
#pragma once

#include "base/async.hpp"
#include "cli/preflight/place_rules.hpp"
#include "cli/preflight/port_owner.hpp"
#include "config/config.hpp"

#include <vector>

namespace relay::cli::preflight {

// Listens on all of them at once, as a relay does, certificates included; who else has one is not
// looked for.
std::vector<PortFacts> port_facts(const asio::any_io_executor& executor,
                                  const config::Config& config);

// May block: not for the loop.
DatabaseFacts database_facts(const config::DatabaseConfig& config);

}  // namespace relay::cli::preflight
