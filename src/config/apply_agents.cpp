// Further agents: their keys are read when those of the default agent are known.
#include "config/agent_keys.hpp"
#include "config/apply.hpp"
#include "config/entry_name.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <optional>

namespace relay::config {
namespace {

// One key of one agent, with the value it is given.
struct Given {
  const AgentKey* key;
  const Value* value;
  std::string source;
  std::string variable;  // empty: from the file
};

class AgentReader {
 public:
  AgentReader(std::string name, Loading& loading) : name_(std::move(name)), loading_(loading) {}

  void take_fields(const Value& value, const std::string& source) {
    std::map<const AgentKey*, std::string> seen;
    for (const Value::Field& field : value.fields) {
      const std::string path = agent_path(name_, field.name);
      const auto complain = [&](std::string message, std::string remedy) {
        loading_.problems.push_back({source, field.mark.line, field.mark.column, path,
                                     std::move(message), std::move(remedy)});
      };
      const AgentKey* key = find_agent_key(field.name);
      if (key == nullptr) {
        complain("unknown key", remedy_for_unknown_agent_key(field.name));
        continue;
      }
      const auto [first, is_first] = seen.emplace(key, field.name);
      if (!is_first) {
        complain("the same as " + first->second + ", which is there too", "remove one of the two");
        continue;
      }
      given_.push_back({key, &field.value, source, ""});
    }
  }

  void take_variable(const AgentKey& key, const Value& value, const std::string& variable) {
    std::erase_if(given_, [&](const Given& earlier) { return earlier.key == &key; });
    given_.push_back({&key, &value, kEnvironmentSource, variable});
  }

  NamedAgentConfig read() {
    const OwnProgram own{gives("image"), gives("command"), gives("preset")};
    AgentDraft draft = begin_agent(loading_.config, name_, own);
    for (const Given& given : given_) apply(given, draft);
    const AgentIsolation isolation = draft.settings.isolation;
    for (const Given& given : given_) {
      if (given.key->only_for.value_or(isolation) == isolation) continue;
      add(loading_.warnings, given.key->name, "has no effect: this agent runs as a process",
          "set " + agent_path(name_, "isolation") + ": container, or remove the key");
    }
    if (!draft.args.empty() && !draft.command) {
      add(loading_.problems, "args", "arguments without a command",
          "give " + agent_path(name_, "command") + " beside them");
    }
    return settle(std::move(draft), loading_.config);
  }

 private:
  bool gives(std::string_view key) const {
    return std::any_of(given_.begin(), given_.end(),
                       [&](const Given& given) { return given.key->name == key; });
  }

  void apply(const Given& given, AgentDraft& draft) {
    const AgentKey& key = *given.key;
    Complaints complaints;
    key.read(*given.value, draft, complaints);
    note_value(agent_path(name_, key.name), key.secrecy, *given.value, key.write(draft.settings),
               {given.source, {}, given.variable}, complaints, loading_);
  }

  void add(std::vector<Problem>& to, std::string_view key, const std::string& message,
           const std::string& remedy) {
    to.push_back(locate(loading_, agent_path(name_, key), message, remedy));
  }

  const std::string name_;
  Loading& loading_;
  std::vector<Given> given_;
};

// Variables of the environment that name keys of agents.
class AgentVariables {
 public:
  AgentVariables(const Environment& environment, Loading& loading)
      : environment_(environment), loading_(loading) {}

  void give_to(const std::string& agent, AgentReader& reader) {
    std::map<const AgentKey*, std::string> seen;
    for (const AgentKey& key : agent_keys()) {
      for (const std::string& spelling : spellings(key)) {
        const std::string variable = variable_of(agent_path(agent, spelling));
        const auto found = environment_.find(variable);
        if (found == environment_.end()) continue;
        const auto [other, is_new] = used_.emplace(variable, agent_path(agent, key.name));
        const auto [first, is_first] = seen.emplace(&key, variable);
        if (!is_new) {
          complain(variable, "names both " + other->second + " and " + agent_path(agent, key.name),
                   "set the key in the file");
        } else if (!is_first) {
          complain(variable, "the same key as " + first->second + ", which is set too",
                   "unset one of the two");
        } else if (auto value = value_of_variable(variable, found->second, is_plain(key.write({})),
                                                  loading_)) {
          values_.push_back(std::move(*value));
          reader.take_variable(key, values_.back(), variable);
        }
      }
    }
  }

  void warn_about_the_others() {
    const std::string prefix = variable_of(std::string(kAgents));
    for (auto entry = environment_.lower_bound(prefix);
         entry != environment_.end() && entry->first.starts_with(prefix); ++entry) {
      const std::string& variable = entry->first;
      if (used_.contains(variable)) continue;
      if (variable.size() > prefix.size() && variable[prefix.size()] != '_') continue;
      loading_.warnings.push_back({kEnvironmentSource, 0, 0, variable,
                                   "names no key of a configured agent",
                                   "agents are made in the file, below agents; remove it"});
    }
  }

 private:
  void complain(const std::string& variable, std::string message, std::string remedy) {
    loading_.problems.push_back(
        {kEnvironmentSource, 0, 0, variable, std::move(message), std::move(remedy)});
  }

  const Environment& environment_;
  Loading& loading_;
  std::map<std::string, std::string> used_;  // variable -> path
  std::list<Value> values_;
};

// Empty: the agent is left out.
std::optional<AgentReader> begin(const Value::Field& field, const std::string& source,
                                 std::map<std::string, std::string>& variables, Loading& loading) {
  const std::string path = std::string(kAgents) + "." + field.name;
  const auto complain = [&](std::string message, std::string remedy) {
    loading.problems.push_back(
        {source, field.mark.line, field.mark.column, path, std::move(message), std::move(remedy)});
    return std::nullopt;
  };
  if (!is_entry_name(field.name)) return complain("not a name of an agent", kEntryNameRemedy);
  if (field.name == "default") {
    return complain("the default agent is what agent and container describe",
                    "choose another name, or set those keys");
  }
  const auto [other, is_new] = variables.emplace(variable_of(path), field.name);
  if (!is_new) {
    return complain("differs from " + other->second + " only in - and _", "choose another name");
  }
  if (field.value.kind != Value::Kind::kMap && field.value.kind != Value::Kind::kNull) {
    return complain("expected an agent with keys of its own",
                    "indent its keys below \"" + field.name + ":\"");
  }
  AgentReader reader(field.name, loading);
  reader.take_fields(field.value, source);
  return reader;
}

}  // namespace

void apply_agents(const Environment& environment, const std::string& source, Loading& loading) {
  const Value agents = std::move(loading.agents);
  AgentVariables from_environment(environment, loading);
  std::map<std::string, std::string> variables;
  const auto complain = [&](std::string message, std::string remedy) {
    loading.problems.push_back({source, agents.mark.line, agents.mark.column, std::string(kAgents),
                                std::move(message), std::move(remedy)});
  };
  if (agents.kind != Value::Kind::kMap && agents.kind != Value::Kind::kNull) {
    complain("expected a map of agents", "write the name of each with its keys indented below it");
  } else if (agents.fields.size() > kMaxAgents) {
    complain("more than " + std::to_string(kMaxAgents) + " agents", "remove some");
  } else {
    for (const Value::Field& field : agents.fields) {
      loading.places[std::string(kAgents) + "." + field.name] = {source, field.mark, ""};
      auto reader = begin(field, source, variables, loading);
      if (!reader) continue;
      from_environment.give_to(field.name, *reader);
      loading.config.agents.push_back(reader->read());
    }
  }
  from_environment.warn_about_the_others();
}

}  // namespace relay::config
