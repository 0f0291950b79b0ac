// Puts the tree of a file, or the overrides of an environment, into a Config by the table of keys.
#pragma once

#include "config/codec.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/value.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace relay::config {

inline constexpr const char* kEnvironmentSource = "environment";

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
  Value agents;                         // what stands below `agents`, not read yet
};

// `root` has been expanded.
void apply_file(const Value& root, const std::string& source, Loading& loading);

// ACP_RELAY_<SECTION>_<KEY>; values are taken as they are, lists and maps are YAML flow text.
void apply_environment(const Environment& environment, Loading& loading);

// The agents of the file (Loading::agents), with what the environment says of them. Comes after
// those: they inherit what the other keys have come to.
void apply_agents(const Environment& environment, const std::string& source, Loading& loading);

// Completes agents by their presets, and hardens those that have upstreams, where nobody has said
// otherwise. Comes last of all: nothing of it is inherited.
void apply_presets(Loading& loading);

// Reads one key from one value; `name` as in Place.
void apply_key(const Key& key, const Value& value, const std::string& source,
               const std::string& name, Loading& loading);

// What reading a value comes with: complaints become problems, its place is noted, and what may be
// a secret in it: as its key says, or as the codec wrote what it had read (`written`).
void note_value(const std::string& path, Secrecy secrecy, const Value& value, const Value& written,
                const Place& place, Complaints& complaints, Loading& loading);

// "ACP_RELAY_AGENT_ARGS" for "agent.args".
std::string variable_of(const std::string& path);
// What a variable holds: the text as it is where the key is `plain`, otherwise YAML flow text.
// Empty after a problem.
std::optional<Value> value_of_variable(const std::string& variable, const std::string& text,
                                       bool plain, Loading& loading);
// Whether a key that is written like this is a single value.
bool is_plain(const Value& written);

// A problem about `key`, at the place its value came from.
Problem locate(const Loading& loading, const std::string& key, const std::string& message,
               const std::string& remedy);

}  // namespace relay::config
