#include "cli/options.hpp"

#include "cli/failure.hpp"
#include "cli/help_text.hpp"

#include <CLI/CLI.hpp>

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

// The CLI11 tree and the values it fills. Lives for one parse.
class Parser {
 public:
  explicit Parser(const Environment& environment);
  std::variant<Command, Leave> parse(const std::vector<std::string>& arguments);

 private:
  void add_serve();
  void add_connect();
  void add_prompt();
  void add_sessions();
  void add_health();
  void add_drain();
  void add_reload();
  void add_replay();
  void add_backup();
  void add_alive();
  void add_check_config();
  void add_preflight();
  void add_doctor();
  void add_token_option(CLI::App* command, std::string& token);
  void add_relay_options(CLI::App* command, bool management);
  void add_management_option(CLI::App* command);
  CLI::App* add_session_command(CLI::App* sessions, const char* name, const char* about,
                                std::string& session);
  Command chosen() const;

  CLI::App app_{kAbout, "acp-relay"};
  RelayAddress relay_;
  ServeCommand serve_;
  ConnectCommand connect_;
  PromptCommand prompt_;
  std::vector<std::string> words_;
  bool all_ = false;  // what close does without a session and without --idle
  bool yes_ = false;
  bool no_ = false;
  HealthCommand health_;
  DrainCommand drain_;
  ReloadCommand reload_;
  bool no_stop_ = false;
  std::string drain_until_ = "turns";
  ListCommand list_;
  ShowCommand show_;
  AuditCommand audit_;
  HistoryCommand history_;
  CloseCommand close_;
  ExportCommand export_;
  ImportCommand import_;
  ReplayCommand replay_;
  std::string speed_ = "fast";
  BackupCommand backup_;
  AliveCommand alive_;
  CheckConfigCommand check_config_;
  PreflightCommand preflight_;
  DoctorCommand doctor_;
  CLI::App* serve_app_ = nullptr;
  CLI::App* connect_app_ = nullptr;
  CLI::App* prompt_app_ = nullptr;
  CLI::App* health_app_ = nullptr;
  CLI::App* drain_app_ = nullptr;
  CLI::App* reload_app_ = nullptr;
  CLI::App* list_app_ = nullptr;
  CLI::App* show_app_ = nullptr;
  CLI::App* audit_app_ = nullptr;
  CLI::App* history_app_ = nullptr;
  CLI::App* close_app_ = nullptr;
  CLI::App* export_app_ = nullptr;
  CLI::App* import_app_ = nullptr;
  CLI::App* replay_app_ = nullptr;
  CLI::App* backup_app_ = nullptr;
  CLI::App* alive_app_ = nullptr;
  CLI::App* check_config_app_ = nullptr;
  CLI::App* preflight_app_ = nullptr;
  CLI::App* doctor_app_ = nullptr;
};

Parser::Parser(const Environment& environment) {
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
  add_preflight();
}

void Parser::add_serve() {
  serve_app_ = app_.add_subcommand("serve", "Run the relay (the default)");
  serve_app_->add_option("--config", serve_.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  serve_app_->add_flag("--verbose", serve_.verbose, "Log at debug level");
  serve_app_->footer(kServeFooter);
}

void Parser::add_relay_options(CLI::App* command, bool management) {
  if (management) {
    add_management_option(command);
  } else {
    command->add_option("--url", relay_.url, "The relay")->type_name("URL")->capture_default_str();
  }
  command->add_option("--token-file", relay_.token_file, "File that holds the token")
      ->type_name("FILE");
  command->add_option("--ca-file", relay_.ca_file, "PEM file of the authority, for https")
      ->type_name("FILE");
}

void Parser::add_token_option(CLI::App* command, std::string& token) {
  command
      ->add_option("--token", token,
                   "The token; other users of this machine can read it, --token-file is better")
      ->type_name("TOKEN");
}

void Parser::add_management_option(CLI::App* command) {
  command->add_option("--management-url", relay_.management_url, "Management port of the relay")
      ->type_name("URL")
      ->capture_default_str();
}

void Parser::add_connect() {
  connect_app_ = app_.add_subcommand("connect", "Be an ACP agent on stdin and stdout, for editors");
  connect_app_->add_option("--agent", connect_.agent, "The agent with this name in the relay")
      ->type_name("NAME");
  add_token_option(connect_app_, connect_.token);
  connect_app_
      ->add_option("--reconnect-timeout", connect_.reconnect_seconds,
                   "Give up after so many seconds without a connection")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{86'400}))
      ->type_name("SECONDS")
      ->capture_default_str();
  add_relay_options(connect_app_, false);
  connect_app_->footer(kConnectFooter);
}

void Parser::add_prompt() {
  prompt_app_ = app_.add_subcommand("prompt", "Send one prompt and stream the answer");
  prompt_app_->add_option("text", words_, "The prompt; several words are joined; - reads stdin")
      ->type_name("TEXT...")
      ->required();
  prompt_app_->add_option("--session", prompt_.session, "Go on with this session")->type_name("ID");
  prompt_app_->add_option("--cwd", prompt_.cwd, "Working directory of a fresh session (default: .)")
      ->type_name("DIR");
  prompt_app_->add_option("--mode", prompt_.mode, "Put the session in this mode of its agent first")
      ->type_name("MODE");
  prompt_app_->add_option("--model", prompt_.model, "Take this model of the agent")
      ->type_name("MODEL");
  prompt_app_->add_flag("--close", prompt_.close, "Close the session after the turn");
  prompt_app_->add_flag("--json", prompt_.json, "Print every message as one line of JSON");
  CLI::Option* yes =
      prompt_app_->add_flag("--yes", yes_, "Allow what the agent asks permission for");
  prompt_app_->add_flag("--no", no_, "Reject what the agent asks permission for")->excludes(yes);
  add_relay_options(prompt_app_, false);
  prompt_app_->footer(kPromptFooter);
}

CLI::App* Parser::add_session_command(CLI::App* sessions, const char* name, const char* about,
                                      std::string& session) {
  CLI::App* command = sessions->add_subcommand(name, about);
  command->add_option("session", session, "Session id: sess_...")->type_name("ID")->required();
  return command;
}

void Parser::add_sessions() {
  CLI::App* sessions =
      app_.add_subcommand("sessions", "Look at sessions, end, export and import them");
  sessions->require_subcommand(1);
  sessions->footer(kSessionsFooter);
  // Also before the command: acp-relay sessions --url URL history ID.
  add_relay_options(sessions, false);
  add_management_option(sessions);
  constexpr const char* kJson = "Print JSON for machines";

  list_app_ = sessions->add_subcommand("list", "Sessions, newest first");
  list_app_->add_flag("--active", list_.only_active, "Only open sessions");
  list_app_->add_option("--limit", list_.limit, "At most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  list_app_->add_flag("--json", list_.json, kJson);
  add_relay_options(list_app_, false);

  show_app_ = add_session_command(sessions, "show", "One session in detail", show_.session);
  show_app_->add_flag("--json", show_.json, kJson);
  add_relay_options(show_app_, true);

  audit_app_ = sessions->add_subcommand("audit", "Who did what to which session, oldest first");
  audit_app_->add_option("session", audit_.session, "Only of this session (also an erased one)")
      ->type_name("SESSION");
  audit_app_
      ->add_option("--principal", audit_.principal,
                   "Only by the token of this name (\"\": without authentication)")
      ->type_name("NAME");
  audit_app_->add_option("--after", audit_.after, "Only after the row with this number")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  audit_app_->add_option("--limit", audit_.limit, "At most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  audit_app_->add_flag("--json", audit_.json, "Print one line of JSON a row");
  add_relay_options(audit_app_, true);

  history_app_ =
      add_session_command(sessions, "history", "Messages of a session", history_.session);
  history_app_->add_option("--after", history_.after, "Only after this sequence number")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  history_app_->add_option("--limit", history_.limit, "At most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  history_app_->add_flag("--json", history_.json, "Print one line of JSON a message");
  add_relay_options(history_app_, false);

  close_app_ = sessions->add_subcommand("close", "End sessions and their agents");
  CLI::Option_group* which = close_app_->add_option_group("which sessions");
  which->add_option("session", close_.session, "Session id: sess_...")->type_name("ID");
  which->add_flag("--idle", close_.only_idle, "All without a client and a turn");
  which->add_flag("--all", all_, "Every session of the relay");
  which->require_option(1);
  add_relay_options(close_app_, false);
  add_management_option(close_app_);

  export_app_ = add_session_command(sessions, "export", "The whole log of a session as JSON lines",
                                    export_.session);
  export_app_->add_option("--output", export_.output, "File to write (default: stdout)")
      ->type_name("FILE");
  export_app_->footer(kExportFooter);
  add_relay_options(export_app_, true);

  import_app_ =
      sessions->add_subcommand("import", "Put an exported session into the log, as a closed one");
  import_app_->add_option("file", import_.file, "What 'sessions export' wrote; - reads stdin")
      ->type_name("FILE")
      ->required();
  import_app_->add_flag("--new-id", import_.new_id, "Give the session an id of its own here");
  import_app_->footer(kImportFooter);
  add_relay_options(import_app_, true);
}

void Parser::add_health() {
  health_app_ = app_.add_subcommand("health", "How a running relay is, on one screen");
  health_app_->add_flag("--watch", health_.watch, "Look again every 2 seconds, until Ctrl-C");
  health_app_->add_flag("--json", health_.json, "Print one line of JSON for each look");
  health_app_->add_option("--limit", health_.limit, "At most so many agents, the newest first")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000}))
      ->capture_default_str();
  add_relay_options(health_app_, true);
  health_app_->footer(kHealthFooter);
}

void Parser::add_drain() {
  drain_app_ = app_.add_subcommand("drain", "Take a running relay out of service, then stop it");
  drain_app_->add_option("--until", drain_until_, "Wait until there are none: turns or sessions")
      ->check(CLI::IsMember({"turns", "sessions"}))
      ->capture_default_str();
  drain_app_
      ->add_option("--timeout", drain_.timeout_seconds, "Wait at most so long; 0 waits for ever")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{604'800}))
      ->type_name("SECONDS")
      ->capture_default_str();
  CLI::Option* const force =
      drain_app_->add_flag("--force", drain_.force, "Stop the relay also when --timeout is over");
  CLI::Option* const no_stop =
      drain_app_->add_flag("--no-stop", no_stop_, "Leave the relay running, and draining");
  force->excludes(no_stop);
  drain_app_->add_flag("--undo", drain_.undo, "Let the relay make sessions again")
      ->excludes(force)
      ->excludes(no_stop);
  add_relay_options(drain_app_, true);
  drain_app_->footer(kDrainFooter);
}

void Parser::add_reload() {
  reload_app_ = app_.add_subcommand("reload", "Have a running relay read its configuration again");
  add_relay_options(reload_app_, true);
  reload_app_->footer(kReloadFooter);
}

void Parser::add_replay() {
  replay_app_ = app_.add_subcommand("replay", "Play an exported session against an agent");
  replay_app_->add_option("file", replay_.file, "What 'sessions export' wrote; - reads stdin")
      ->type_name("FILE")
      ->required();
  replay_app_
      ->add_option("command", words_, "An agent to start, behind --, in place of one of a relay")
      ->type_name("COMMAND...");
  replay_app_->add_flag("--check", replay_.check,
                        "Fail when the agent says something else than was recorded");
  replay_app_->add_option("--cwd", replay_.cwd, "Working directory (default: the recorded one)")
      ->type_name("DIR");
  replay_app_->add_option("--speed", speed_, "How fast the client goes on: fast or as-recorded")
      ->check(CLI::IsMember({"fast", "as-recorded"}))
      ->type_name("SPEED")
      ->capture_default_str();
  replay_app_
      ->add_option("--timeout", replay_.timeout_seconds,
                   "Give up when the agent says nothing for so many seconds")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{86'400}))
      ->type_name("SECONDS")
      ->capture_default_str();
  replay_app_->add_option("--agent", replay_.agent, "The agent with this name in the relay")
      ->type_name("NAME");
  add_token_option(replay_app_, replay_.token);
  add_relay_options(replay_app_, false);
  replay_app_->footer(kReplayFooter);
}

void Parser::add_doctor() {
  doctor_app_ = app_.add_subcommand("doctor", "Try an ACP endpoint as a client would");
  doctor_app_->add_option("url", relay_.url, "The endpoint; without a path, /acp is meant")
      ->type_name("URL")
      ->capture_default_str();
  doctor_app_->add_option("--agent", doctor_.agent, "The agent with this name in the relay")
      ->type_name("NAME");
  doctor_app_->add_option("--origin", doctor_.origin, "As a page of this origin: https://host")
      ->type_name("ORIGIN");
  doctor_app_
      ->add_option("--timeout", doctor_.timeout_seconds,
                   "Wait so many seconds for the answer to initialize")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{86'400}))
      ->type_name("SECONDS")
      ->capture_default_str();
  add_token_option(doctor_app_, doctor_.token);
  doctor_app_->add_option("--token-file", relay_.token_file, "File that holds the token")
      ->type_name("FILE");
  doctor_app_->add_option("--ca-file", relay_.ca_file, "PEM file of the authority, for https")
      ->type_name("FILE");
  doctor_app_->footer(kDoctorFooter);
}

void Parser::add_backup() {
  backup_app_ = app_.add_subcommand("backup", "Copy the message log into one file");
  backup_app_->add_option("file", backup_.file, "The file to make; it must not exist yet")
      ->type_name("FILE")
      ->required();
  CLI::Option* config =
      backup_app_
          ->add_option("--config", backup_.config, "The configuration that the relay runs with")
          ->type_name("FILE")
          ->capture_default_str();
  backup_app_->add_option("--database", backup_.database, "Its database.path, without the rest")
      ->type_name("FILE")
      ->excludes(config);
  backup_app_->footer(kBackupFooter);
}

void Parser::add_alive() {
  alive_app_ = app_.add_subcommand("alive", "Ask whether the relay lives, for health checks");
  alive_app_->add_option("--config", alive_.config, "The configuration that the relay runs with")
      ->type_name("FILE")
      ->capture_default_str();
  alive_app_->add_option("--timeout", alive_.timeout_seconds, "Wait so many seconds for it")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{3600}))
      ->capture_default_str();
  alive_app_->footer(kAliveFooter);
}

void Parser::add_check_config() {
  check_config_app_ =
      app_.add_subcommand("check-config", "Check a configuration and print what is in force");
  CLI::Option* file =
      check_config_app_->add_option("file", check_config_.file, "Configuration file")
          ->type_name("FILE")
          ->capture_default_str();
  check_config_app_->add_option("--config", check_config_.file, "The same, as 'serve' has it")
      ->type_name("FILE")
      ->excludes(file);
  check_config_app_->add_flag("--json", check_config_.json, "Print JSON instead of YAML");
  check_config_app_->footer(kCheckConfigFooter);
}

void Parser::add_preflight() {
  preflight_app_ =
      app_.add_subcommand("preflight", "Check whether this machine can serve with a configuration");
  preflight_app_->add_option("--config", preflight_.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  preflight_app_->add_flag("--json", preflight_.json, "Print JSON for machines");
  preflight_app_->footer(kPreflightFooter);
}

Command Parser::chosen() const {
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

std::variant<Command, Leave> Parser::parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed;  // the order CLI11 consumes
  for (std::size_t at = arguments.size(); at-- > 0;) {
    reversed.push_back(marked(at < 2 ? with_two_dashes(arguments[at]) : arguments[at]));
  }
  try {
    app_.parse(std::move(reversed));
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

}  // namespace

std::variant<Command, Leave> parse_command_line(const std::vector<std::string>& arguments,
                                                const Environment& environment) {
  return Parser(environment).parse(arguments);
}

}  // namespace relay::cli
