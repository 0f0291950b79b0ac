#include "cli/preflight/agent_rules.hpp"

#include "cli/introduction.hpp"
#include "protocol/accepted_json.hpp"
#include "protocol/acp.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <string_view>
#include <variant>

namespace relay::cli::preflight {
namespace {

namespace json = boost::json;

constexpr std::size_t kShownOfName = 100;

// The last line of what the agent said on stderr, where the error has it.
std::string last_words(const Error& error) {
  for (const auto& [name, value] : error.state) {
    const auto* const text = std::get_if<std::string>(&value);
    if (name != "stderr" || text == nullptr) continue;
    const auto end = text->find_last_not_of(" \n");
    if (end == std::string::npos) return {};
    const auto begin = text->rfind('\n', end);
    return text->substr(begin == std::string::npos ? 0 : begin + 1,
                        end - (begin == std::string::npos ? 0 : begin + 1) + 1);
  }
  return {};
}

// What helps a client of a relay that runs is no help here.
bool is_for_clients(const std::string& action) {
  return action.find("session/new") != std::string::npos ||
         action.find("the relay's log") != std::string::npos;
}

Finding failed(std::string name, const AgentTrial& trial) {
  Finding finding = bad(std::move(name), trial.answer.error());
  std::erase_if(finding.remedies, is_for_clients);
  if (finding.remedies.empty()) {
    finding.remedies.emplace_back("run the agent by hand and send it an initialize request");
  }
  const std::string words = last_words(trial.answer.error());
  if (!words.empty()) finding.told += "; its last words on stderr: " + words;
  if (!trial.left_by.empty()) {
    finding.told += "; its container may be left";
    finding.remedies.push_back("docker ps -a --filter label=" + trial.left_by +
                               ", and docker rm -f what it lists");
  }
  return finding;
}

}  // namespace

Finding agent_finding(std::string name, const AgentTrial& trial) {
  if (!trial.answer) return failed(std::move(name), trial);
  boost::system::error_code failure;
  const json::value parsed = parse_accepted(*trial.answer, failure);
  const json::object* const result = failure ? nullptr : parsed.if_object();
  const json::object nothing;
  const bool is_contained = trial.isolation == Isolation::kContainer;
  Finding finding{std::move(name), Verdict::kGood,
                  fmt::format("{} answers initialize after {:.1f} s, as a {}: {}", trial.program,
                              static_cast<double>(trial.took.count()) / 1000,
                              is_contained ? "container" : "process with this user's rights",
                              introduction(result != nullptr ? *result : nothing, kShownOfName))};
  const json::value* const version =
      result != nullptr ? result->if_contains("protocolVersion") : nullptr;
  if (version == nullptr || *version != acp::kProtocolVersion) {
    finding.verdict = Verdict::kWarning;
    finding.remedies.push_back(fmt::format(
        "take a version of the agent that speaks version {} of ACP", acp::kProtocolVersion));
  }
  if (!trial.no_containers_because.empty()) {
    finding.verdict = Verdict::kWarning;
    finding.told +=
        "; NO CONTAINERS although container.enabled is true: " + trial.no_containers_because;
    finding.remedies.emplace_back("set container.required: true to refuse that");
  }
  return finding;
}

}  // namespace relay::cli::preflight
