#include "cli/run.hpp"

#include "app/serve.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"

#include <csignal>
#include <exception>
#include <string>
#include <unistd.h>
#include <vector>

namespace relay::cli {
namespace {

// One overload a command.
struct Runner {
  const Environment& environment;

  int operator()(const ServeCommand& command) const {
    const app::ServeOptions options{command.config, command.config_given, command.verbose};
    return app::serve(options);
  }
  int operator()(const ConnectCommand& command) const {
    return done(run_connect(command, environment));
  }
  int operator()(const PromptCommand& command) const {
    return done(run_prompt(command, environment));
  }
  int operator()(const DrainCommand& command) const {
    return done(run_drain(command, environment));
  }
  int operator()(const ReloadCommand& command) const {
    return done(run_reload(command, environment));
  }
  int operator()(const HealthCommand& command) const {
    return done(run_health(command, environment));
  }
  int operator()(const ListCommand& command) const { return done(run_list(command, environment)); }
  int operator()(const AuditCommand& command) const {
    return done(run_audit(command, environment));
  }
  int operator()(const ShowCommand& command) const { return done(run_show(command, environment)); }
  int operator()(const HistoryCommand& command) const {
    return done(run_history(command, environment));
  }
  int operator()(const CloseCommand& command) const {
    return done(run_close(command, environment));
  }
  int operator()(const ExportCommand& command) const {
    return done(run_export(command, environment));
  }
  int operator()(const ImportCommand& command) const {
    return done(run_import(command, environment));
  }
  int operator()(const ReplayCommand& command) const {
    return done(run_replay(command, environment));
  }
  int operator()(const DoctorCommand& command) const {
    return done(run_doctor(command, environment));
  }
  int operator()(const PreflightCommand& command) const {
    return done(run_preflight(command, environment));
  }
  int operator()(const BackupCommand& command) const {
    return done(run_backup(command, environment));
  }
  int operator()(const AliveCommand& command) const {
    return done(run_alive(command, environment));
  }
  int operator()(const CheckConfigCommand& command) const {
    return done(run_check_config(command, environment));
  }
  int operator()(const EgressCheckCommand& command) const {
    return done(run_egress_check(command, environment));
  }

  static int done(ExitCode code) { return static_cast<int>(code); }
};

}  // namespace

int run(int argc, char** argv) {
  // A reader that leaves is noticed as a failed write instead.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const Environment environment = config::process_environment();
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto parsed = parse_command_line(arguments, environment);
    if (const Leave* leave = std::get_if<Leave>(&parsed)) {
      Output(STDOUT_FILENO).write(leave->out);
      Output(STDERR_FILENO).write(leave->err);
      return leave->exit_code;
    }
    return std::visit(Runner{environment}, std::get<Command>(parsed));
  } catch (const std::exception& error) {
    return Runner::done(
        report({ExitCode::kError, std::string("unexpected error: ") + error.what()}));
  }
}

}  // namespace relay::cli
