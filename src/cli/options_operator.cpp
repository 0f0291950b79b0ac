// Commands of who runs a relay.
#include "cli/help_text.hpp"
#include "cli/option_parser.hpp"

namespace relay::cli {

void OptionParser::add_health() {
  health_app_ = app_.add_subcommand("health", "How a running relay is, on one screen");
  health_app_->add_flag("--watch", health_.watch, "Look again every 2 seconds, until Ctrl-C");
  health_app_->add_flag("--json", health_.json, "Print one line of JSON for each look");
  health_app_->add_option("--limit", health_.limit, "At most so many agents, the newest first")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000}))
      ->capture_default_str();
  add_relay_options(health_app_, true);
  health_app_->footer(kHealthFooter);
}

void OptionParser::add_drain() {
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

void OptionParser::add_reload() {
  reload_app_ = app_.add_subcommand("reload", "Have a running relay read its configuration again");
  add_relay_options(reload_app_, true);
  reload_app_->footer(kReloadFooter);
}

void OptionParser::add_replay() {
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

void OptionParser::add_doctor() {
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

void OptionParser::add_backup() {
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

void OptionParser::add_alive() {
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

void OptionParser::add_check_config() {
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

void OptionParser::add_egress() {
  CLI::App* egress = app_.add_subcommand("egress", "What agents reach through the relay");
  egress->require_subcommand(1);
  egress_check_app_ = egress->add_subcommand("check", "Whether an agent's request would go out");
  egress_check_app_
      ->add_option("url", egress_check_.url, "As the agent would ask, or the upstream's own URL")
      ->type_name("URL")
      ->required();
  egress_check_app_->add_option("--method", egress_check_.method, "Of the request")
      ->type_name("METHOD")
      ->capture_default_str();
  egress_check_app_
      ->add_option("--agent", egress_check_.agent, "The agent with this name (default: agent)")
      ->type_name("NAME");
  egress_check_app_->add_option("--config", egress_check_.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  egress_check_app_->add_flag("--json", egress_check_.json, "Print JSON for machines");
  egress_check_app_->footer(kEgressCheckFooter);
}

void OptionParser::add_preflight() {
  preflight_app_ =
      app_.add_subcommand("preflight", "Check whether this machine can serve with a configuration");
  preflight_app_->add_option("--config", preflight_.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  preflight_app_->add_flag("--json", preflight_.json, "Print JSON for machines");
  preflight_app_->footer(kPreflightFooter);
}

}  // namespace relay::cli
