// The keys that may stand below agents.NAME, and what becomes of those that don't.
//
// Most of them are keys of `agent` and `container` under their last name, read and written by the
// same codecs. A further agent is a draft while its keys are read: it begins as a copy of the
// default agent, and settle() makes the program out of its parts.
#pragma once

#include "config/keys.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

inline constexpr std::string_view kAgents = "agents";
inline constexpr std::size_t kMaxAgents = 64;

// What the file and the environment give of one agent so far.
struct AgentDraft {
  NamedAgentConfig settings;
  std::optional<Strings> command;
  Strings args;
};

struct AgentKey {
  std::string name;  // "memory_limit"
  std::string type;
  std::string inherited;  // what holds without it, for people
  std::string doc;
  Secrecy secrecy = Secrecy::kOpen;
  bool is_duration = false;
  std::optional<AgentIsolation> only_for;  // empty: for agents of both kinds
  std::function<void(const Value&, AgentDraft&, Complaints&)> read;
  std::function<Value(const NamedAgentConfig&)> write;
};

const std::vector<AgentKey>& agent_keys();

// By name or the "_seconds" spelling; null when there is none.
const AgentKey* find_agent_key(std::string_view name);
std::vector<std::string> spellings(const AgentKey& key);

// Why a name below agents.NAME is no key, and what to do.
std::string remedy_for_unknown_agent_key(const std::string& name);

// "agents.claude.memory_limit"
std::string agent_path(const std::string& agent, std::string_view key);

// Which keys of its own say what program it is.
struct OwnProgram {
  bool image = false;
  bool command = false;
  bool preset = false;
};

// The agent called `name` before its own keys are read. With a program of its own it has no
// command, arguments and environment of the default agent.
AgentDraft begin_agent(const Config& config, std::string name, const OwnProgram& own);

// What the draft comes to.
NamedAgentConfig settle(AgentDraft draft, const Config& config);

}  // namespace relay::config
