// Puts the tree of a file, or the overrides of an environment, into a Config by the table of keys.
#pragma once

#include "config/load.hpp"
#include "config/value.hpp"

#include <map>
#include <string>
#include <vector>

namespace relay::config {

// Where the value of each key came from, for problems that are found later.
struct Place {
  std::string source;
  Mark mark;
  std::string name;  // of the environment variable; empty for a file
};

struct Loading {
  Config config;
  std::vector<Problem> warnings;
  std::vector<Problem> problems;
  std::map<std::string, Place> places;  // by path: "agent.args", "agent.args[0]"
};

// `root` has been expanded.
void apply_file(const Value& root, const std::string& source, Loading& loading);

// ACP_RELAY_<SECTION>_<KEY>; values are taken as they are, lists and maps are YAML flow text.
void apply_environment(const Environment& environment, Loading& loading);

// Reads one key from one value; `name` as in Place.
struct Key;
void apply_key(const Key& key, const Value& value, const std::string& source,
               const std::string& name, Loading& loading);

// A problem about `key`, at the place its value came from.
Problem locate(const Loading& loading, const std::string& key, const std::string& message,
               const std::string& remedy);

}  // namespace relay::config
