// Application taking a configuration that is read again: all checks first, which may wait for an
// image, then everything in one turn of the loop.
#include "app/application.hpp"
#include "app/settings.hpp"
#include "app/startup_lines.hpp"
#include "config/print.hpp"
#include "config/reload.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace relay::app {
namespace {

constexpr const char* kNoTokenIsLeft =
    "auth.tokens: no token is left and one is needed; one is generated at a start only";
constexpr const char* kRelayEnds = "the relay is shutting down";

std::vector<std::string> described(const std::vector<config::Problem>& problems) {
  std::vector<std::string> texts;
  for (const config::Problem& problem : problems) texts.push_back(config::describe(problem));
  return texts;
}

// On one line, as problems of the file are.
std::string described(const Error& error) {
  std::string text = error.explanation;
  for (const std::string& cause : error.possible_causes) text += "; perhaps " + cause;
  for (const std::string& action : error.suggested_actions) text += "; " + action;
  return text;
}

bool concerns_containers(const std::string& key) { return key.starts_with("container."); }

// Happens for those who wait, also when the one who works is cancelled.
class Happening {
 public:
  explicit Happening(Event& event) : event_(event) {}
  Happening(const Happening&) = delete;
  Happening& operator=(const Happening&) = delete;
  ~Happening() { event_.happen(); }

 private:
  Event& event_;
};

}  // namespace

Task<management::ReloadOutcome> Application::reload() {
  const auto outcome = std::make_shared<management::ReloadOutcome>();
  outcome->problems.emplace_back(kRelayEnds);  // unless it comes to another end
  if (stopping_) co_return *outcome;
  const auto done = std::make_shared<Event>(executor_);
  background_.spawn(
      "reload", [this, outcome, done, before = std::exchange(reloading_, done)]() -> Task<void> {
        return reload_after(before, done, outcome);
      });
  co_await done->wait();
  co_return *outcome;
}

Task<void> Application::reload_after(std::shared_ptr<Event> before, std::shared_ptr<Event> done,
                                     std::shared_ptr<management::ReloadOutcome> outcome) {
  const Happening happening(*done);
  if (before) co_await before->wait();
  auto ended = co_await reload_now();
  *outcome = std::move(ended);
}

Task<management::ReloadOutcome> Application::reload_now() {
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
  }
  config::Reload reload;
  std::vector<AgentChange> agents;
  if (outcome.problems.empty()) {
    // Before anything else uses them; those that were secrets before stay so.
    redactor_->learn(config::secrets(loaded->config));
    reload = config::plan_reload(config_, loaded->config);
    outcome.problems = problems_of(reload);
  }
  if (outcome.problems.empty()) {
    auto prepared = co_await agents_.prepare(config_, reload.config);
    if (prepared) {
      agents = std::move(*prepared);
    } else {
      outcome.problems.push_back(redactor_->redacted(described(prepared.error())));
    }
  }
  if (stopping_) outcome.problems.assign(1, kRelayEnds);
  if (!agents_.no_containers_because().empty() &&
      std::ranges::any_of(reload.changed, concerns_containers)) {
    outcome.warnings.emplace_back(
        "container.enabled: agents run as processes, since containers could not be used when the "
        "relay started; keys of container wait for a restart");
  }
  for (const std::string& warning : outcome.warnings) {
    log_.warn("configuration", {{"warning", warning}});
  }
  for (const std::string& problem : outcome.problems) {
    log_.error("the configuration is not valid, nothing was changed", {{"problem", problem}});
  }
  if (!outcome.problems.empty()) co_return outcome;
  log_.info("configuration read again", {{"outcome", config::describe(reload)}});
  take(std::move(reload.config), agents);
  outcome.changed = std::move(reload.changed);
  outcome.need_restart = std::move(reload.need_restart);
  co_return outcome;
}

std::vector<std::string> Application::problems_of(const config::Reload& reload) const {
  std::vector<std::string> problems;
  for (const config::Finding& problem : reload.problems) {
    problems.push_back(problem.key + ": " + problem.message + "; " + problem.remedy +
                       " (a part of the file needs a restart)");
  }
  if (generated_token_.empty() && needs_generated_token(reload.config)) {
    problems.emplace_back(kNoTokenIsLeft);
  }
  return problems;
}

void Application::take(config::Config config, const std::vector<AgentChange>& agents) {
  config_ = std::move(config);
  log_.set_level(config_.log.level);
  for (const AgentChange& agent : agents) {
    agent.take();
    sessions_->forget_profile(agent.name);
  }
  sessions_->change(directory_options(config_));
  sessions_->change("", session_options(config_, agents_.standard().isolation()));
  for (AgentEntry& agent : agents_.others(config_)) {
    sessions_->change(agent.name, std::move(agent.options));
  }
  message_log_->change_limits(storage::limits_of(log_options(config_)));
  if (canary_) canary_->change(config_.readiness.canary_interval);
  change_settings();
}

void Application::change_settings() {
  http_access_.replace(access_rules(config_, Listener::kHttp, generated_token_));
  websocket_access_.replace(access_rules(config_, Listener::kWebSocket, generated_token_));
  management_access_.replace(access_rules(config_, Listener::kManagement, generated_token_));
  config_json_.replace(config::to_json(config_));
  readiness_limits_.replace({config_.readiness.min_free_bytes, config_.readiness.max_wal_bytes});
  agent_command_.replace(redactor_->redacted(command_line(config_.agent)));
  leaves_sessions_.replace(config_.sessions.on_shutdown == config::OnShutdown::kDetach);
}

}  // namespace relay::app
