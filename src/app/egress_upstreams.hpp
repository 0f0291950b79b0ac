// From the upstreams of the configuration to those of an agent's broker. Pure.
#pragma once

#include "config/config.hpp"
#include "egress/tunnel_rules.hpp"
#include "egress/upstream.hpp"

#include <vector>

namespace relay::app {

// Those of config.egress that `names` (agent.upstreams) says, in that order. What a validated
// configuration does not have is left out.
std::vector<egress::Upstream> upstreams_of(const config::Config& config,
                                           const config::Strings& names);

// Of agent.connect, in its order.
std::vector<egress::TunnelRule> tunnel_rules_of(const config::Strings& hosts);

}  // namespace relay::app
