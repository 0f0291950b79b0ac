// What one check of the preflight came to. Pure.
#pragma once

#include "base/error.hpp"
#include "cli/failure.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace relay::cli::preflight {

enum class Verdict {
  kGood,
  kWarning,  // works, but not as it should, or not for long
  kBad,      // a relay would not start, or could make no session
  kSkipped,  // can't be told from here, or rests on something that is bad
};

struct Finding {
  std::string name;  // stable: "configuration", "port.http", "agents.NAME.agent"
  Verdict verdict = Verdict::kGood;
  std::string told;
  std::vector<std::string> causes{};
  std::vector<std::string> remedies{};
};

// With what the error says of causes and remedies.
Finding bad(std::string name, const Error& error);

// "512M", "23.5G": for people, rounded.
std::string rounded_size(std::uint64_t bytes);

// "✓ name: told", and a line for each cause and remedy; with a line feed at the end.
std::string line(const Finding& finding);

// Members name, status ("ok", "warning", "failed", "skipped"), found, possible_causes, remedies.
boost::json::object to_json(const Finding& finding);

ExitCode exit_code(const std::vector<Finding>& findings);

}  // namespace relay::cli::preflight
