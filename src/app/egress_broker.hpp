// From the configuration to the broker and to what containers need of it. Pure.
#pragma once

#include "backend/docker/container_options.hpp"
#include "config/config.hpp"
#include "egress/broker.hpp"

#include <string>

namespace relay::app {

// Whether any agent may use an upstream.
bool needs_broker(const config::Config& config);

// What any agent may reach: upstreams by their names, and the hosts of agent.connect as rules say
// them ("*.npmjs.org:443"). Each once.
config::Strings reached_names(const config::Config& config);

egress::BrokerOptions broker_options(const config::Config& config);

// Of the default agent of `config`; `init_program`: path of acp-agent-init.
ContainerEgress container_egress(const config::Config& config, std::string init_program);

// agent.env of the default agent of `config`, with where upstreams are; and HTTPS_PROXY, which says
// to git, npm and the like how hosts of agent.connect are reached, unless it is there.
config::StringMap environment_in_container(const config::Config& config);

}  // namespace relay::app
