#include "cli/commands.hpp"
#include "cli/config_failure.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"
#include "storage/backup.hpp"

#include <string>
#include <unistd.h>

namespace relay::cli {

namespace {

// Where the database of the configuration is.
Outcome<std::string> configured_database(const std::string& file, const Environment& environment) {
  const config::LoadResult loaded = config::load(file, environment);
  if (!loaded.ok()) {
    Failure failure = cannot_use(file, loaded);
    failure.text += "\nor name the database itself: --database FILE";
    return failure;
  }
  const config::DatabaseConfig& database = loaded.config.database;
  if (!database.enabled || database.path.empty() || database.path == ":memory:") {
    return Failure{ExitCode::kError,
                   "there is nothing to back up: the relay keeps no messages with " + file +
                       " (database.enabled, database.path)"};
  }
  return database.path;
}

}  // namespace

ExitCode run_backup(const BackupCommand& command, const Environment& environment) {
  const Outcome<std::string> database = command.database.empty()
                                            ? configured_database(command.config, environment)
                                            : Outcome<std::string>(command.database);
  if (!database) return report(database.error());
  const auto size = storage::back_up(*database, command.file);
  if (!size) {
    std::string text = size.error().explanation;
    for (const std::string& action : size.error().suggested_actions) text += "\n" + action;
    return report({ExitCode::kError, text});
  }
  for (const std::string& reason : size->lost) {
    Output(STDERR_FILENO).write("acp-relay: the backup has a gap: " + reason + "\n");
  }
  Output out(STDOUT_FILENO);
  const bool written = out.write(command.file + ": " + std::to_string(size->sessions) +
                                 " sessions, " + std::to_string(size->messages) + " messages, " +
                                 std::to_string(size->bytes) + " bytes\n");
  return written && size->lost.empty() ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli
