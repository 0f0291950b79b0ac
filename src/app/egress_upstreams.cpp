#include "app/egress_upstreams.hpp"

#include "config/tunnel_host.hpp"
#include "config/upstream_url.hpp"

#include <algorithm>
#include <optional>

namespace relay::app {
namespace {

egress::CredentialPlace place_of(const config::CredentialConfig& credential) {
  using Kind = egress::CredentialPlace::Kind;
  if (!credential.enabled()) return {};
  if (!credential.header.empty()) return {Kind::kHeader, credential.header, credential.prefix};
  return {Kind::kQuery, credential.query, credential.prefix};
}

std::optional<egress::Upstream> upstream_of(const config::UpstreamConfig& from) {
  const config::UpstreamUrl url = config::parse_upstream_url(from.url);
  Result<http::Endpoint> endpoint = http::Endpoint::parse(url.origin);
  if (!url.problem.empty() || !endpoint) return std::nullopt;
  egress::Upstream upstream;
  upstream.name = from.name;
  upstream.endpoint = std::move(*endpoint);
  upstream.endpoint.ca_file = from.ca_file;
  upstream.base_path = url.base_path;
  upstream.credential = place_of(from.credential);
  for (const config::AllowConfig& rule : from.allow)
    upstream.allow.push_back({rule.methods, rule.path});
  return upstream;
}

}  // namespace

std::vector<egress::Upstream> upstreams_of(const config::Config& config,
                                           const config::Strings& names) {
  std::vector<egress::Upstream> upstreams;
  for (const std::string& name : names) {
    const auto& all = config.egress.upstreams;
    const auto found = std::ranges::find(all, name, &config::UpstreamConfig::name);
    if (found == all.end()) continue;
    if (auto upstream = upstream_of(*found)) upstreams.push_back(std::move(*upstream));
  }
  return upstreams;
}

std::vector<egress::TunnelRule> tunnel_rules_of(const config::Strings& hosts) {
  std::vector<egress::TunnelRule> rules;
  for (const std::string& text : hosts) {
    config::TunnelHost host = config::parse_tunnel_host(text);
    if (host.problem.empty()) rules.push_back({std::move(host.name), host.any_below, host.port});
  }
  return rules;
}

}  // namespace relay::app
