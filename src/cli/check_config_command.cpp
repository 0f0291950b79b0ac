#include "cli/commands.hpp"
#include "cli/config_failure.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

#include <filesystem>
#include <string>
#include <unistd.h>

namespace relay::cli {

ExitCode run_check_config(const CheckConfigCommand& command, const Environment& environment) {
  Output err(STDERR_FILENO);
  std::error_code error;
  const bool defaults = !command.file_given && !std::filesystem::exists(command.file, error);
  const config::LoadResult loaded = defaults ? config::load_text("", "defaults", environment)
                                             : config::load(command.file, environment);
  if (defaults) err.write("note: there is no " + command.file + " here; these are the defaults\n");
  for (const config::Problem& warning : loaded.warnings) {
    err.write("warning: " + config::describe(warning) + "\n");
  }
  for (const config::Problem& problem : loaded.problems) {
    err.write("error: " + config::describe(problem) + "\n");
  }
  if (!loaded.ok()) {
    const std::size_t count = loaded.problems.size();
    return report(
        {exit_code_of(loaded), "the configuration is not valid: " + std::to_string(count) +
                                   (count == 1 ? " problem" : " problems")});
  }
  Output out(STDOUT_FILENO);
  const std::string text =
      command.json ? config::to_json(loaded.config) + "\n" : config::to_yaml(loaded.config);
  return out.write(text) ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli
