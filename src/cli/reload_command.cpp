#include "cli/commands.hpp"
#include "cli/json_access.hpp"
#include "cli/output.hpp"
#include "cli/terminal_text.hpp"
#include "cli/with_relay.hpp"

#include <string>
#include <unistd.h>
#include <vector>

namespace relay::cli {
namespace {

namespace json = boost::json;

std::vector<std::string> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  const json::array* const list = array_at(object, key);
  for (const json::value& text : list != nullptr ? *list : json::array()) {
    if (text.is_string()) texts.push_back(visible(std::string_view(text.get_string())));
  }
  return texts;
}

std::string listed_keys(const char* what, const std::vector<std::string>& keys) {
  std::string line;
  for (const std::string& key : keys) line += (line.empty() ? "" : ", ") + key;
  return keys.empty() ? line : what + line + "\n";
}

Task<ExitCode> reload_relay(RelayClient& client) {
  const Outcome<json::object> answer = co_await client.ask("POST", "/api/reload");
  if (!answer) co_return report(answer.error());
  Output err(STDERR_FILENO);
  for (const std::string& text : texts_at(*answer, "warnings")) {
    err.write("warning: " + text + "\n");
  }
  const std::vector<std::string> problems = texts_at(*answer, "problems");
  for (const std::string& text : problems) err.write("error: " + text + "\n");
  if (!bool_at(*answer, "reloaded")) {
    co_return report({ExitCode::kError, "the configuration is not valid, nothing was changed: " +
                                            std::to_string(problems.size()) +
                                            (problems.size() == 1 ? " problem" : " problems")});
  }
  std::string text = listed_keys("changed: ", texts_at(*answer, "changed")) +
                     listed_keys("needs a restart: ", texts_at(*answer, "needsRestart"));
  if (text.empty()) text = "nothing has changed\n";
  Output out(STDOUT_FILENO);
  co_return out.write(text) ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace

ExitCode run_reload(const ReloadCommand& command, const Environment& environment) {
  return with_relay(Port::kManagement, command.relay, environment,
                    [](RelayClient& client) { return reload_relay(client); });
}

}  // namespace relay::cli
