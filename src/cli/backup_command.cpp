#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"
#include "storage/backup.hpp"

#include <string>
#include <unistd.h>

namespace relay::cli {

ExitCode run_backup(const BackupCommand& command, const Environment& environment) {
  const config::LoadResult loaded = config::load(command.config, environment);
  if (!loaded.ok()) {
    Output err(STDERR_FILENO);
    for (const config::Problem& problem : loaded.problems) {
      err.write("error: " + config::describe(problem) + "\n");
    }
    return report({ExitCode::kError, "the configuration " + command.config + " can't be used"});
  }
  const config::DatabaseConfig& database = loaded.config.database;
  if (!database.enabled || database.path.empty() || database.path == ":memory:") {
    return report(
        {ExitCode::kError, "there is nothing to back up: the relay keeps no messages with " +
                               command.config + " (database.enabled, database.path)"});
  }
  const auto size = storage::back_up(database.path, command.file);
  if (!size) {
    std::string text = size.error().explanation;
    for (const std::string& action : size.error().suggested_actions) text += "\n" + action;
    return report({ExitCode::kError, text});
  }
  Output out(STDOUT_FILENO);
  const bool written = out.write(command.file + ": " + std::to_string(size->sessions) +
                                 " sessions, " + std::to_string(size->messages) + " messages, " +
                                 std::to_string(size->bytes) + " bytes\n");
  return written ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli
