#include "app/egress_upstreams.hpp"
#include "app/settings.hpp"
#include "cli/commands.hpp"
#include "cli/egress_question.hpp"
#include "cli/egress_view.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <string>
#include <unistd.h>

namespace relay::cli {
namespace {

using egress::Denial;
using egress::Refusal;

Failure not_valid(const std::string& file, const std::vector<config::Problem>& problems) {
  std::string text = "the configuration " + file + " can't be used";
  for (const config::Problem& problem : problems) text += "\n" + config::describe(problem);
  return {ExitCode::kError, text};
}

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

egress::Verdict judge_question(const EgressQuestion& question, const config::Config& config,
                               std::span<const egress::Upstream> upstreams,
                               const std::string& section) {
  if (upstreams.empty()) {
    return Denial{Refusal::kUnknownUpstream, 403, question.agent + " has no upstreams",
                  section + "upstreams", "Name what it may reach there."};
  }
  const auto target = asked_target(question.url, upstreams, config.egress.port);
  if (target) return egress::judge(question.method, *target, upstreams);
  std::string names;
  for (const egress::Upstream& upstream : upstreams) names += " " + upstream.name;
  return Denial{Refusal::kUnknownUpstream, 403,
                "no upstream of " + question.agent + " goes there; it has" + names,
                "egress.upstreams",
                "Add one with this url there, and name it in " + section + "upstreams."};
}

}  // namespace

ExitCode run_egress_check(const EgressCheckCommand& command, const Environment& environment) {
  const config::LoadResult loaded = config::load(command.config, environment);
  if (!loaded.ok()) return report(not_valid(command.config, loaded.problems));
  const Outcome<config::Config> config = of_agent(loaded.config, command.agent);
  if (!config) return report(config.error());
  const bool is_standard = command.agent.empty();
  const std::string section = is_standard ? "agent." : "agents." + command.agent + ".";
  const EgressQuestion question{is_standard ? "the default agent" : "agent " + command.agent,
                                command.method, command.url};
  const std::vector<egress::Upstream> upstreams =
      app::upstreams_of(*config, config->agent.upstreams);
  const egress::Verdict verdict = judge_question(question, *config, upstreams, section);
  Output out(STDOUT_FILENO);
  const bool written =
      out.write(command.json ? boost::json::serialize(egress_json(question, verdict)) + "\n"
                             : egress_text(question, verdict));
  const bool is_allowed = std::holds_alternative<egress::Passage>(verdict);
  return written && is_allowed ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli
