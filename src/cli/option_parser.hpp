// The command line as a tree of CLI11, and the values that it fills. Included by options.cpp and
// the files of its commands only.
#pragma once

#include "cli/command.hpp"
#include "cli/help_text.hpp"
#include "cli/options.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <variant>
#include <vector>

namespace relay::cli {

// Lives for one parse.
class OptionParser {
 public:
  explicit OptionParser(const Environment& environment);
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
  void add_egress();
  void add_preflight();
  void add_doctor();
  void add_token_option(CLI::App* command, std::string& token);
  void add_relay_options(CLI::App* command, bool management);
  void add_management_option(CLI::App* command);
  void add_config_option(CLI::App* command);
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
  EgressCheckCommand egress_check_;
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
  CLI::App* egress_check_app_ = nullptr;
  CLI::App* preflight_app_ = nullptr;
  CLI::App* doctor_app_ = nullptr;
};

}  // namespace relay::cli
