#include "config/agent_keys.hpp"

#include "config/suggest.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace relay::config {
namespace {

constexpr AgentIsolation kContained = AgentIsolation::kContainer;

// The keys of `agent` and `container` see the settings of a further agent in the place of their
// own.
Config view_of(const NamedAgentConfig& settings) {
  Config view;
  view.agent = settings.agent;
  view.container = settings.container;
  return view;
}

AgentKey key_like(const std::string& path) {
  const Key* const like = find_key(path);
  AgentKey key;
  key.name = path.substr(path.find('.') + 1);
  key.type = like->type;
  key.inherited = "`" + path + "`";
  key.doc = "As `" + path + "`, of this agent.";
  key.secrecy = like->secrecy;
  key.is_duration = like->is_duration;
  if (path.starts_with("container.")) key.only_for = kContained;
  key.read = [like](const Value& value, AgentDraft& draft, Complaints& complaints) {
    Config view = view_of(draft.settings);
    like->read(value, view, complaints);
    draft.settings.agent = std::move(view.agent);
    draft.settings.container = std::move(view.container);
  };
  key.write = [like](const NamedAgentConfig& settings) { return like->write(view_of(settings)); };
  return key;
}

AgentKey isolation_key() {
  const Codec<AgentIsolation> codec = choice<AgentIsolation>(
      {{"process", AgentIsolation::kProcess}, {"container", AgentIsolation::kContainer}});
  AgentKey key;
  key.name = "isolation";
  key.type = codec.type;
  key.inherited = "container with `image` or `preset`, otherwise by `container.enabled`";
  key.doc =
      "container: each session's agent runs in a container of its own. process: as a process of "
      "this host, with the relay's rights.";
  key.read = [codec](const Value& value, AgentDraft& draft, Complaints& complaints) {
    codec.read(value, draft.settings.isolation, complaints);
  };
  key.write = [codec](const NamedAgentConfig& settings) { return codec.write(settings.isolation); };
  return key;
}

AgentKey command_key() {
  AgentKey key;
  key.name = "command";
  key.type = "text or list of text";
  key.inherited =
      "with `image` what the image runs, with `preset` what its image runs or, as a process, the "
      "preset's program, otherwise the default agent's";
  key.doc =
      "Program of the agent, as a list with its arguments: looked up in PATH and started without a "
      "shell, or run in the container in place of the image's entry point and command.";
  key.secrecy = Secrecy::kMayCarry;
  key.read = [](const Value& value, AgentDraft& draft, Complaints& complaints) {
    Strings command;
    if (value.kind == Value::Kind::kScalar) {
      if (!value.text.empty()) command = {value.text};
    } else {
      const std::size_t before = complaints.size();
      strings().read(value, command, complaints);
      if (complaints.size() != before) return;
    }
    draft.command = std::move(command);
  };
  key.write = [](const NamedAgentConfig& settings) {
    if (settings.isolation == kContained) return strings().write(settings.container.command);
    Strings command = settings.agent.args;
    if (!settings.agent.command.empty()) command.insert(command.begin(), settings.agent.command);
    return strings().write(command);
  };
  return key;
}

AgentKey args_key() {
  AgentKey key;
  key.name = "args";
  key.type = strings().type;
  key.inherited = "empty with `image`, `command` or `preset`, otherwise the default agent's";
  key.doc = "Further arguments of `command`, which has to be there.";
  key.secrecy = Secrecy::kMayCarry;
  key.read = [](const Value& value, AgentDraft& draft, Complaints& complaints) {
    strings().read(value, draft.args, complaints);
  };
  // They are part of what `command` is written as.
  key.write = [](const NamedAgentConfig&) { return strings().write({}); };
  return key;
}

// What the default agent was trusted with is not handed to another program.
AgentKey entrusted_key(const std::string& path) {
  AgentKey key = key_like(path);
  key.inherited = "empty with `image`, `command` or `preset`, otherwise `" + path + "`";
  return key;
}

AgentKey image_key() {
  AgentKey key = key_like("container.image");
  key.inherited = "the preset's with `preset` and no `command`, otherwise `container.image`";
  return key;
}

AgentKey preset_key() {
  AgentKey key = key_like("agent.preset");
  key.inherited = "empty with `image` or `command`, otherwise `agent.preset`";
  return key;
}

AgentKey startup_timeout_key() {
  const Codec<Milliseconds> codec = duration(Milliseconds(1));
  AgentKey key;
  key.name = "startup_timeout";
  key.type = codec.type;
  key.inherited = "`container.startup_timeout` or `agent.startup_timeout_seconds`";
  key.doc = "As that key, of this agent.";
  key.is_duration = true;
  key.read = [codec](const Value& value, AgentDraft& draft, Complaints& complaints) {
    codec.read(value, draft.settings.agent.startup_timeout, complaints);
    draft.settings.container.startup_timeout = draft.settings.agent.startup_timeout;
  };
  key.write = [codec](const NamedAgentConfig& settings) {
    return codec.write(settings.agent.startup_timeout);
  };
  return key;
}

std::vector<AgentKey> make_agent_table() {
  std::vector<AgentKey> keys{isolation_key(),
                             image_key(),
                             command_key(),
                             args_key(),
                             entrusted_key("agent.env"),
                             entrusted_key("agent.upstreams"),
                             entrusted_key("agent.connect"),
                             preset_key(),
                             key_like("agent.client_env"),
                             startup_timeout_key()};
  for (const char* path : {"agent.secret_env",
                           "agent.plain_env",
                           "agent.stop_grace",
                           "agent.max_stderr_bytes",
                           "container.memory_limit",
                           "container.cpu_limit",
                           "container.pids_limit",
                           "container.ulimits",
                           "container.network_mode",
                           "container.readonly_rootfs",
                           "container.tmpfs",
                           "container.drop_capabilities",
                           "container.security_opt",
                           "container.user",
                           "container.init",
                           "container.home",
                           "container.max_fork_bytes",
                           "container.runtime",
                           "container.mount_roots",
                           "container.extra_volumes",
                           "container.pull_policy",
                           "container.pull_timeout",
                           "container.shutdown_timeout",
                           "container.log_driver",
                           "container.log_opts",
                           "container.labels",
                           "container.allow_unsafe"}) {
    keys.push_back(key_like(path));
  }
  return keys;
}

}  // namespace

const std::vector<AgentKey>& agent_keys() {
  static const std::vector<AgentKey> kKeys = make_agent_table();
  return kKeys;
}

std::vector<std::string> spellings(const AgentKey& key) {
  std::vector<std::string> names{key.name};
  if (key.is_duration) names.push_back(key.name + "_seconds");
  return names;
}

const AgentKey* find_agent_key(std::string_view name) {
  for (const AgentKey& key : agent_keys()) {
    const auto names = spellings(key);
    if (std::find(names.begin(), names.end(), name) != names.end()) return &key;
  }
  return nullptr;
}

std::string remedy_for_unknown_agent_key(const std::string& name) {
  if (name == "agent" || name == "container") {
    return "write the keys of " + name + " directly below the agent's name";
  }
  if (name == "enabled") return "set isolation: container";
  for (const char* section : {"agent.", "container."}) {
    const std::string path = section + name;
    if (find_key(path) != nullptr) return "it is one for all agents: set " + path;
  }
  std::vector<std::string> names;
  for (const AgentKey& key : agent_keys()) names.push_back(key.name);
  if (const auto meant = nearest(name, names)) return "did you mean " + *meant + "?";
  std::string list;
  for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
  return "the keys here are " + list;
}

std::string agent_path(const std::string& agent, std::string_view key) {
  std::string path(kAgents);
  path.append(".").append(agent).append(".").append(key);
  return path;
}

AgentDraft begin_agent(const Config& config, std::string name, const OwnProgram& own) {
  AgentDraft draft;
  NamedAgentConfig& settings = draft.settings;
  settings.name = std::move(name);
  settings.agent = config.agent;
  settings.container = config.container;
  settings.isolation = own.image || own.preset || config.container.enabled
                           ? AgentIsolation::kContainer
                           : AgentIsolation::kProcess;
  if (own.image || own.command || own.preset) {
    settings.agent.command.clear();
    settings.agent.args.clear();
    settings.agent.env.clear();
    settings.agent.upstreams.clear();
    settings.agent.connect.clear();
    settings.agent.preset.clear();
    settings.agent.secret_env.clear();
    settings.agent.plain_env.clear();
    settings.container.command.clear();
  }
  return draft;
}

NamedAgentConfig settle(AgentDraft draft, const Config& config) {
  NamedAgentConfig settings = std::move(draft.settings);
  const bool contained = settings.isolation == kContained;
  if (draft.command) {
    Strings command = std::move(*draft.command);
    std::move(draft.args.begin(), draft.args.end(), std::back_inserter(command));
    if (contained) {
      settings.container.command = std::move(command);
    } else if (!command.empty()) {
      settings.agent.command = std::move(command.front());
      command.erase(command.begin());
      settings.agent.args = std::move(command);
    }
  }
  // Of what belongs to the other kind nothing is kept.
  if (contained) {
    settings.agent.command.clear();
    settings.agent.args.clear();
    settings.agent.startup_timeout = settings.container.startup_timeout;
  } else {
    settings.container = config.container;
  }
  settings.container.enabled = contained;
  return settings;
}

}  // namespace relay::config
