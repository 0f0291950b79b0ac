#include "app/egress_upstreams.hpp"
#include "app/settings.hpp"
#include "cli/commands.hpp"
#include "cli/config_failure.hpp"
#include "cli/egress_question.hpp"
#include "cli/egress_view.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"
#include "config/tunnel_host.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace relay::cli {
namespace {

using egress::Denial;
using egress::Refusal;

// The configuration as it is for the agent.
Outcome<config::Config> of_agent(const config::Config& config, const std::string& name) {
  if (name.empty()) return config;
  const auto found = std::ranges::find(config.agents, name, &config::NamedAgentConfig::name);
  if (found != config.agents.end()) return app::config_of(config, *found);
  std::string names;
  for (const config::NamedAgentConfig& agent : config.agents) names += " " + agent.name;
  return Failure{ExitCode::kError, "there is no agent \"" + name + "\"\n" +
                                       (names.empty() ? "agents is empty: leave --agent out"
                                                      : "take one of:" + names)};
}

EgressVerdict of(egress::Verdict verdict) {
  if (auto* denial = std::get_if<Denial>(&verdict)) return std::move(*denial);
  return std::move(std::get<egress::Passage>(verdict));
}

EgressVerdict of(std::variant<egress::TunnelPassage, Denial> verdict) {
  if (auto* denial = std::get_if<Denial>(&verdict)) return std::move(*denial);
  return std::move(std::get<egress::TunnelPassage>(verdict));
}

// What the agent may reach.
struct Reach {
  std::vector<egress::Upstream> upstreams;
  std::vector<egress::TunnelRule> tunnels;
  std::uint16_t port = 0;  // of the relay, in a container
};

EgressVerdict judge_question(const EgressQuestion& question, const Reach& reach) {
  if (question.method == "CONNECT") {
    EgressVerdict verdict = of(egress::judge_tunnel(question.url, reach.tunnels));
    auto* const denial = std::get_if<Denial>(&verdict);
    if (denial != nullptr && !denial->key.empty()) denial->key = question.section + "connect";
    return verdict;
  }
  if (reach.upstreams.empty() && reach.tunnels.empty()) {
    return Denial{Refusal::kUnknownUpstream, 403, question.agent + " has no upstreams",
                  question.section + "upstreams", "Name what it may reach there."};
  }
  const auto target = asked_target(question.url, reach.upstreams, reach.port);
  if (target) return of(egress::judge(question.method, *target, reach.upstreams));
  // Clients ask a proxy for what is behind https by CONNECT.
  const Result<http::Endpoint> endpoint = http::Endpoint::parse(origin_of(question.url));
  if (endpoint && endpoint->transport == http::Endpoint::Transport::kTls) {
    EgressVerdict tunnel = of(
        egress::judge_tunnel(endpoint->host + ":" + std::to_string(endpoint->port), reach.tunnels));
    if (!std::holds_alternative<Denial>(tunnel)) return tunnel;
  }
  std::string names;
  for (const egress::Upstream& upstream : reach.upstreams) names += " " + upstream.name;
  return Denial{Refusal::kUnknownUpstream, 403,
                "no upstream of " + question.agent + " goes there" +
                    (names.empty() ? ", it has none" : "; it has" + names),
                "egress.upstreams",
                "Add one with this url there, and name it in " + question.section +
                    "upstreams; or name the host in " + question.section + "connect."};
}

}  // namespace

ExitCode run_egress_check(const EgressCheckCommand& command, const Environment& environment) {
  const config::LoadResult loaded = config::load(command.config, environment);
  for (const config::Problem& warning : loaded.warnings) {
    Output(STDERR_FILENO).write("warning: " + config::describe(warning) + "\n");
  }
  if (!loaded.ok()) return report(cannot_use(command.config, loaded));
  const Outcome<config::Config> config = of_agent(loaded.config, command.agent);
  if (!config) return report(config.error());
  const bool is_standard = command.agent.empty();
  const std::string section = is_standard ? "agent." : "agents." + command.agent + ".";
  const EgressQuestion question{is_standard ? "the default agent" : "agent " + command.agent,
                                section, command.method, command.url};
  const config::Strings hosts = config::connect_in_force(config->agent, config->container);
  const Reach reach{app::upstreams_of(*config, config->agent.upstreams),
                    app::tunnel_rules_of(hosts), config->egress.port};
  const EgressVerdict verdict = judge_question(question, reach);
  Output out(STDOUT_FILENO);
  const bool written =
      out.write(command.json ? boost::json::serialize(egress_json(question, verdict)) + "\n"
                             : egress_text(question, verdict));
  const bool is_allowed = !std::holds_alternative<Denial>(verdict);
  return written && is_allowed ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli
