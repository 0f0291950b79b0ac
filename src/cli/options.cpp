#include "cli/options.hpp"

#include "cli/failure.hpp"
#include "cli/help_text.hpp"
#include "cli/option_parser.hpp"

#include <sstream>

namespace relay::cli {
namespace {

// CLI11 takes a word like [a,b] for a list and splits it, which would destroy JSON in prompts. Such
// a word is marked before parsing and the mark is removed afterwards.
constexpr char kMark = '\x1f';

std::string marked(std::string word) {
  if (word.size() >= 2 && word.front() == '[' && word.back() == ']') word += kMark;
  return word;
}

// Where a command begins, options may have one dash, as those of earlier acp-relay servers had.
std::string with_two_dashes(const std::string& word) {
  const bool is_one = word == "-config" || word.starts_with("-config=");
  return is_one ? "-" + word : word;
}

std::string unmarked(std::string word) {
  if (!word.empty() && word.back() == kMark) word.pop_back();
  return word;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += unmarked(word);
  }
  return text;
}

void take_environment(std::string& target, const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found != environment.end() && !found->second.empty()) target = found->second;
}

// An option may stand at a command and at the one above it, which CLI11 does not look at together.
void refuse_two_places_of_a_relay(const CLI::App& app) {
  bool is_in_a_file = false;
  const char* place = nullptr;
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    const auto is_given = [command](const char* name) {
      const CLI::Option* const option = command->get_option_no_throw(name);
      return option != nullptr && option->count() > 0;
    };
    is_in_a_file |= is_given("--config");
    for (const char* const url : {"--url", "--management-url"}) {
      if (is_given(url)) place = url;
    }
  }
  if (is_in_a_file && place != nullptr) throw CLI::ExcludesError("--config", place);
}

}  // namespace

OptionParser::OptionParser(const Environment& environment) {
  take_environment(relay_.url, environment, "ACP_RELAY_URL");
  take_environment(relay_.management_url, environment, "ACP_RELAY_MANAGEMENT_URL");
  app_.require_subcommand(0, 1);
  app_.set_version_flag("--version", std::string("acp-relay ") + RELAY_VERSION);
  app_.add_option("--config", serve_.config, "Configuration file, when serving")->type_name("FILE");
  app_.add_flag("--verbose", serve_.verbose, "Log at debug level, when serving");
  app_.footer(kMainFooter);
  add_serve();
  add_connect();
  add_prompt();
  add_sessions();
  add_health();
  add_drain();
  add_reload();
  add_replay();
  add_doctor();
  add_backup();
  add_alive();
  add_check_config();
  add_egress();
  add_preflight();
}

Command OptionParser::chosen() const {
  const auto with_relay = [this](auto command) -> Command {
    command.relay = relay_;
    return command;
  };
  if (connect_app_->parsed()) return with_relay(connect_);
  if (prompt_app_->parsed()) {
    PromptCommand prompt = prompt_;
    prompt.text = join(words_);
    prompt.cwd = unmarked(prompt_.cwd);
    prompt.mode = unmarked(prompt_.mode);
    prompt.model = unmarked(prompt_.model);
    if (yes_) prompt.permissions = PermissionPolicy::kAllow;
    if (no_) prompt.permissions = PermissionPolicy::kReject;
    return with_relay(prompt);
  }
  if (health_app_->parsed()) return with_relay(health_);
  if (drain_app_->parsed()) {
    DrainCommand drain = drain_;
    drain.until_no_session = drain_until_ == "sessions";
    drain.stop = !no_stop_;
    return with_relay(drain);
  }
  if (reload_app_->parsed()) return with_relay(reload_);
  if (list_app_->parsed()) return with_relay(list_);
  if (show_app_->parsed()) return with_relay(show_);
  if (audit_app_->parsed()) return with_relay(audit_);
  if (history_app_->parsed()) return with_relay(history_);
  if (close_app_->parsed()) return with_relay(close_);
  if (export_app_->parsed()) return with_relay(export_);
  if (import_app_->parsed()) return with_relay(import_);
  if (replay_app_->parsed()) {
    ReplayCommand replay = replay_;
    replay.as_recorded = speed_ == "as-recorded";
    for (const std::string& word : words_) replay.command.push_back(unmarked(word));
    return with_relay(replay);
  }
  if (doctor_app_->parsed()) return with_relay(doctor_);
  if (backup_app_->parsed()) {
    BackupCommand backup = backup_;
    backup.file = unmarked(backup_.file);
    return backup;
  }
  if (alive_app_->parsed()) return alive_;
  if (check_config_app_->parsed()) {
    CheckConfigCommand check = check_config_;
    check.file_given = check_config_app_->get_option("file")->count() > 0 ||
                       check_config_app_->get_option("--config")->count() > 0;
    return check;
  }
  if (egress_check_app_->parsed()) return egress_check_;
  if (preflight_app_->parsed()) {
    PreflightCommand preflight = preflight_;
    preflight.config_given = preflight_app_->get_option("--config")->count() > 0;
    return preflight;
  }
  ServeCommand serve = serve_;
  serve.config_given =
      app_.get_option("--config")->count() > 0 || serve_app_->get_option("--config")->count() > 0;
  return serve;
}

std::variant<Command, Leave> OptionParser::parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed;  // the order CLI11 consumes
  for (std::size_t at = arguments.size(); at-- > 0;) {
    reversed.push_back(marked(at < 2 ? with_two_dashes(arguments[at]) : arguments[at]));
  }
  try {
    app_.parse(std::move(reversed));
    refuse_two_places_of_a_relay(app_);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app_.exit(error, out, err);
    return Leave{code == 0 ? 0 : static_cast<int>(ExitCode::kUsage), out.str(), err.str()};
  }
  const bool another_command = !app_.get_subcommands().empty() && !serve_app_->parsed();
  if (another_command &&
      (app_.get_option("--config")->count() > 0 || app_.get_option("--verbose")->count() > 0)) {
    return Leave{static_cast<int>(ExitCode::kUsage), "",
                 "--config and --verbose belong to 'serve' only\n"
                 "Run with --help for more information.\n"};
  }
  return chosen();
}

std::variant<Command, Leave> parse_command_line(const std::vector<std::string>& arguments,
                                                const Environment& environment) {
  return OptionParser(environment).parse(arguments);
}

}  // namespace relay::cli
