// Application taking a configuration that is read again.
#include "app/application.hpp"
#include "app/settings.hpp"
#include "config/print.hpp"
#include "config/reload.hpp"

namespace relay::app {
namespace {

constexpr const char* kNoTokenIsLeft =
    "auth.tokens: no token is left and one is needed; one is generated at a start only";

std::vector<std::string> described(const std::vector<config::Problem>& problems) {
  std::vector<std::string> texts;
  for (const config::Problem& problem : problems) texts.push_back(config::describe(problem));
  return texts;
}

}  // namespace

Task<management::ReloadOutcome> Application::reload() {
  management::ReloadOutcome outcome;
  std::function<Result<config::LoadResult>()> read = [read_again = read_again_] {
    return Result<config::LoadResult>(read_again());
  };
  const auto loaded = co_await reading_.run(config_.file, std::move(read));
  if (!loaded) {
    outcome.problems.push_back(loaded.error().explanation);
  } else {
    outcome.warnings = described(loaded->warnings);
    outcome.problems = described(loaded->problems);
    if (loaded->ok() && generated_token_.empty() && needs_generated_token(loaded->config)) {
      outcome.problems.emplace_back(kNoTokenIsLeft);
    }
  }
  for (const std::string& warning : outcome.warnings) {
    log_.warn("configuration", {{"warning", warning}});
  }
  config::Reload reload;
  if (outcome.problems.empty()) {
    // Before anything else uses them; those that were secrets before stay so.
    redactor_->learn(config::secrets(loaded->config));
    reload = config::plan_reload(config_, loaded->config);
    for (const config::Finding& problem : reload.problems) {
      outcome.problems.push_back(problem.key + ": " + problem.message + "; " + problem.remedy +
                                 " (a part of the file needs a restart)");
    }
  }
  for (const std::string& problem : outcome.problems) {
    log_.error("the configuration is not valid, nothing was changed", {{"problem", problem}});
  }
  if (!outcome.problems.empty()) co_return outcome;
  log_.info("configuration read again", {{"outcome", config::describe(reload)}});
  config_ = std::move(reload.config);
  log_.set_level(config_.log.level);
  sessions_->change(directory_options(config_));
  sessions_->change("", session_options(config_, agents_.standard().isolation()));
  for (AgentEntry& agent : agents_.others(config_)) {
    sessions_->change(agent.name, std::move(agent.options));
  }
  change_settings();
  outcome.changed = std::move(reload.changed);
  outcome.need_restart = std::move(reload.need_restart);
  co_return outcome;
}

void Application::change_settings() {
  http_access_.replace(access_rules(config_, Listener::kHttp, generated_token_));
  websocket_access_.replace(access_rules(config_, Listener::kWebSocket, generated_token_));
  management_access_.replace(access_rules(config_, Listener::kManagement, generated_token_));
  config_json_.replace(config::to_json(config_));
  readiness_limits_.replace({config_.readiness.min_free_bytes, config_.readiness.max_wal_bytes});
}

}  // namespace relay::app
