// Commands that serve, talk to agents, and look at sessions.
#include "cli/help_text.hpp"
#include "cli/option_parser.hpp"

namespace relay::cli {

void OptionParser::add_serve() {
  serve_app_ = app_.add_subcommand("serve", "Run the relay (the default)");
  serve_app_->add_option("--config", serve_.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  serve_app_->add_flag("--verbose", serve_.verbose, "Log at debug level");
  serve_app_->footer(kServeFooter);
}

void OptionParser::add_relay_options(CLI::App* command, bool management) {
  if (management) {
    add_management_option(command);
  } else {
    command->add_option("--url", relay_.url, "The relay")->type_name("URL")->capture_default_str();
  }
  command->add_option("--token-file", relay_.token_file, "File that holds the token")
      ->type_name("FILE");
  command->add_option("--ca-file", relay_.ca_file, "PEM file of the authority, for https")
      ->type_name("FILE");
  if (management) add_config_option(command);
}

void OptionParser::add_token_option(CLI::App* command, std::string& token) {
  command
      ->add_option("--token", token,
                   "The token; other users of this machine can read it, --token-file is better")
      ->type_name("TOKEN");
}

void OptionParser::add_management_option(CLI::App* command) {
  command->add_option("--management-url", relay_.management_url, "Management port of the relay")
      ->type_name("URL")
      ->capture_default_str();
}

void OptionParser::add_config_option(CLI::App* command) {
  CLI::Option* const config =
      command
          ->add_option("--config", relay_.config,
                       "What the relay runs with, on this machine: its ports and its certificate")
          ->type_name("FILE");
  for (const char* const other : {"--url", "--management-url"}) {
    if (CLI::Option* const option = command->get_option_no_throw(other)) config->excludes(option);
  }
}

void OptionParser::add_connect() {
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

void OptionParser::add_prompt() {
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

CLI::App* OptionParser::add_session_command(CLI::App* sessions, const char* name, const char* about,
                                            std::string& session) {
  CLI::App* command = sessions->add_subcommand(name, about);
  command->add_option("session", session, "Session id: sess_...")->type_name("ID")->required();
  return command;
}

void OptionParser::add_sessions() {
  CLI::App* sessions =
      app_.add_subcommand("sessions", "Look at sessions, end, export and import them");
  sessions->require_subcommand(1);
  sessions->footer(kSessionsFooter);
  // Also before the command: acp-relay sessions --url URL history ID.
  add_relay_options(sessions, false);
  add_management_option(sessions);
  add_config_option(sessions);
  constexpr const char* kJson = "Print JSON for machines";

  list_app_ = sessions->add_subcommand("list", "Sessions, newest first");
  list_app_->add_flag("--active", list_.only_active, "Only open sessions");
  list_app_->add_option("--limit", list_.limit, "At most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  list_app_->add_flag("--json", list_.json, kJson);
  add_relay_options(list_app_, false);
  add_config_option(list_app_);

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
  add_config_option(history_app_);

  close_app_ = sessions->add_subcommand("close", "End sessions and their agents");
  CLI::Option_group* which = close_app_->add_option_group("which sessions");
  which->add_option("session", close_.session, "Session id: sess_...")->type_name("ID");
  which->add_flag("--idle", close_.only_idle, "All without a client and a turn");
  which->add_flag("--all", all_, "Every session of the relay");
  which->require_option(1);
  add_relay_options(close_app_, false);
  add_management_option(close_app_);
  add_config_option(close_app_);

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

}  // namespace relay::cli
