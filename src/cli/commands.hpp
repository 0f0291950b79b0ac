// The commands of the binary. Each prints what it has to say and returns how it ended.
#pragma once

#include "cli/command.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"

#include <string_view>

namespace relay::cli {

ExitCode run_connect(const ConnectCommand& command, const Environment& environment);

ExitCode run_prompt(const PromptCommand& command, const Environment& environment);

ExitCode run_drain(const DrainCommand& command, const Environment& environment);

ExitCode run_reload(const ReloadCommand& command, const Environment& environment);

ExitCode run_health(const HealthCommand& command, const Environment& environment);

ExitCode run_list(const ListCommand& command, const Environment& environment);
ExitCode run_audit(const AuditCommand& command, const Environment& environment);
ExitCode run_show(const ShowCommand& command, const Environment& environment);
ExitCode run_history(const HistoryCommand& command, const Environment& environment);
ExitCode run_close(const CloseCommand& command, const Environment& environment);
ExitCode run_export(const ExportCommand& command, const Environment& environment);
ExitCode run_import(const ImportCommand& command, const Environment& environment);

ExitCode run_doctor(const DoctorCommand& command, const Environment& environment);

ExitCode run_preflight(const PreflightCommand& command, const Environment& environment);

ExitCode run_replay(const ReplayCommand& command, const Environment& environment);

ExitCode run_backup(const BackupCommand& command, const Environment& environment);

ExitCode run_alive(const AliveCommand& command, const Environment& environment);

ExitCode run_check_config(const CheckConfigCommand& command, const Environment& environment);
ExitCode run_egress_check(const EgressCheckCommand& command, const Environment& environment);

// "acp-relay: <text>" on stderr.
ExitCode report(const Failure& failure);

}  // namespace relay::cli
