#include "config/tunnel_host.hpp"
#include "config/validate.hpp"

#include <string>

namespace relay::config {
namespace {

constexpr std::size_t kMostHosts = 256;

}  // namespace

void validate_connect(const AgentConfig& agent, const ContainerConfig& container,
                      const std::string& section, std::vector<Finding>& findings) {
  const std::string key = section + "connect";
  for (std::size_t i = 0; i < agent.connect.size(); ++i) {
    const TunnelHost host = parse_tunnel_host(agent.connect[i]);
    if (host.problem.empty()) continue;
    findings.push_back({Severity::kProblem, key + "[" + std::to_string(i) + "]", host.problem,
                        "write github.com, git.example.com:8443 or *.npmjs.org"});
  }
  if (agent.connect.size() > kMostHosts) {
    findings.push_back({Severity::kProblem, key, "more than 256 hosts",
                        "join those of one domain: *.example.com"});
  }
  if (connect_in_force(agent, container) == agent.connect) return;
  findings.push_back({Severity::kWarning, key,
                      "has no effect: the agent has a network and needs no way out",
                      "set network_mode: none for an agent in a container, or remove the key"});
}

}  // namespace relay::config
