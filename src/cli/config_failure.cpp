#include "cli/config_failure.hpp"

namespace relay::cli {

ExitCode exit_code_of(const config::LoadResult& refused) {
  return refused.is_unread() ? ExitCode::kError : ExitCode::kConfig;
}

Failure cannot_use(const std::string& file, const config::LoadResult& refused) {
  std::string text = "the configuration " + file + " can't be used";
  for (const config::Problem& problem : refused.problems) text += "\n" + config::describe(problem);
  return {exit_code_of(refused), text};
}

}  // namespace relay::cli
