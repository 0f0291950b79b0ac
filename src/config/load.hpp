// From a file and the environment to a Config, with everything that is wrong at once.
//
// Values come from, later wins: the defaults (config.hpp), the YAML file,
// ACP_RELAY_<SECTION>_<KEY>. The result is usable only when `problems` is empty. Never throws for
// bad input. A file is at most 1 MiB and 32 levels deep. Texts name keys and variables; secrets
// never appear in them.
#pragma once

#include "config/config.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// The process's environment, or a test's.
using Environment = std::map<std::string, std::string, std::less<>>;

// A copy of this process's environment.
Environment process_environment();

// Something wrong with one place of the configuration, or worth a warning.
struct Problem {
  std::string source;      // the file's name as given, or "environment"
  int line = 0;            // from 1; 0: none
  int column = 0;          // from 1; 0: none
  std::string key;         // "server.http_port", "auth.tokens[0].role", or an environment variable
  std::string message;     // "unknown key"
  std::string remedy;      // "did you mean server.http_port?"; may be empty
  bool is_unread = false;  // a file can't be read: it may come yet
  bool operator==(const Problem&) const = default;
};

// "config.yaml:12:5: server.http_prt: unknown key; did you mean http_port?"
std::string describe(const Problem& problem);

struct LoadResult {
  Config config;
  std::vector<Problem> warnings;
  std::vector<Problem> problems;
  bool ok() const { return problems.empty(); }
  // It is not refused for what it says.
  bool is_unread() const { return std::ranges::all_of(problems, &Problem::is_unread); }
};

LoadResult load(const std::string& path, const Environment& environment);

// The same for a text that is already in memory; `name` stands for the file in problems. An empty
// text gives the defaults.
LoadResult load_text(std::string_view text, const std::string& name,
                     const Environment& environment);

}  // namespace relay::config
