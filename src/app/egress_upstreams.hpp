// From the upstreams of the configuration to those of an agent's broker. Pure.
#pragma once

#include "config/config.hpp"
#include "egress/upstream.hpp"

#include <vector>

namespace relay::app {

// Those of config.egress that `names` (agent.upstreams) says, in that order. What a validated
// configuration does not have is left out.
std::vector<egress::Upstream> upstreams_of(const config::Config& config,
                                           const config::Strings& names);

}  // namespace relay::app
