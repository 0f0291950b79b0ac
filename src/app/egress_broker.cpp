#include "app/egress_broker.hpp"

#include "app/egress_upstreams.hpp"
#include "config/agent_presets.hpp"
#include "config/tunnel_host.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace relay::app {
namespace {

EgressCarrier carrier_of(config::EgressCarrier carrier) {
  switch (carrier) {
    case config::EgressCarrier::kUnix:
      return EgressCarrier::kUnix;
    case config::EgressCarrier::kStdio:
      return EgressCarrier::kStdio;
    case config::EgressCarrier::kAuto:
      break;
  }
  return EgressCarrier::kAuto;
}

}  // namespace

bool needs_broker(const config::Config& config) {
  const auto needs_it = [](const config::AgentConfig& agent) {
    return !agent.upstreams.empty() || !agent.connect.empty();
  };
  return needs_it(config.agent) ||
         std::ranges::any_of(config.agents, [&](const config::NamedAgentConfig& named) {
           return needs_it(named.agent);
         });
}

config::Strings reached_names(const config::Config& config) {
  std::set<std::string> names;
  const auto add = [&names](const config::AgentConfig& agent) {
    names.insert(agent.upstreams.begin(), agent.upstreams.end());
    for (const egress::TunnelRule& rule : tunnel_rules_of(agent.connect)) {
      names.insert(to_string(rule));
    }
  };
  add(config.agent);
  for (const config::NamedAgentConfig& named : config.agents) add(named.agent);
  return {names.begin(), names.end()};
}

egress::BrokerOptions broker_options(const config::Config& config) {
  egress::BrokerOptions options;
  config::Strings names;
  for (const config::UpstreamConfig& upstream : config.egress.upstreams) {
    const config::CredentialConfig& credential = upstream.credential;
    names.push_back(upstream.name);
    options.credentials[upstream.name] = {credential.value, credential.file, credential.command,
                                          credential.refresh};
    options.budgets[upstream.name] = {upstream.budget.requests, upstream.budget.bytes,
                                      upstream.budget.tokens};
  }
  options.upstreams = upstreams_of(config, names);
  options.door.max_connections = config.egress.max_connections;
  options.door.limits.max_body_bytes = config.egress.max_body_bytes;
  options.silence = config.egress.silence;
  options.idle_timeout = config.egress.idle_timeout;
  options.to_upstream.connect_timeout = config.egress.connect_timeout;
  options.to_upstream.max_open = config.egress.max_upstream_connections;
  return options;
}

ContainerEgress container_egress(const config::Config& config, std::string init_program) {
  const config::Strings hosts = config::connect_in_force(config.agent, config.container);
  return {{config.agent.upstreams, tunnel_rules_of(hosts)},
          config.egress.port,
          config.egress.max_connections,
          std::move(init_program),
          carrier_of(config.egress.carrier)};
}

config::StringMap environment_in_container(const config::Config& config) {
  config::StringMap environment =
      config::environment_with_preset(config.agent, config.egress.upstreams);
  const egress::AgentAddress address{"http://127.0.0.1:" + std::to_string(config.egress.port),
                                     std::string(config::kPlaceholderKey)};
  if (!config.agent.upstreams.empty()) {
    for (auto& [name, value] : environment) value = egress::filled_in(value, address);
  }
  if (config::connect_in_force(config.agent, config.container).empty()) return environment;
  for (const char* const name : {"HTTPS_PROXY", "https_proxy"}) {
    const auto is_it = [name](const auto& variable) { return variable.first == name; };
    if (std::ranges::none_of(environment, is_it)) environment.emplace_back(name, address.url);
  }
  return environment;
}

}  // namespace relay::app
