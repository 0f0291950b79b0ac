#include "cli/session_settings.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <array>
#include <optional>
#include <vector>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxShownChoices = 40;
constexpr std::size_t kMaxShownName = 60;

struct Choice {
  std::string id;
  std::string name;
};
using Choices = std::vector<Choice>;

void add_choices(Choices& into, const json::array* list, std::string_view id_key) {
  if (list == nullptr) return;
  for (const json::value& item : *list) {
    const json::object* choice = item.if_object();
    if (choice == nullptr) continue;
    const std::string_view id = string_at(*choice, id_key);
    if (!id.empty()) into.push_back({std::string(id), std::string(string_at(*choice, "name"))});
    add_choices(into, array_at(*choice, "options"), id_key);  // a group
  }
}

Choices choices_at(const json::object& session, std::string_view member, std::string_view list,
                   std::string_view id_key) {
  Choices choices;
  const json::object* found = object_at(session, member);
  if (found != nullptr) add_choices(choices, array_at(*found, list), id_key);
  return choices;
}

// The configuration option of this category, one of a list of values.
const json::object* option_of(const json::object& session, std::string_view category) {
  const json::array* options = array_at(session, "configOptions");
  if (options == nullptr) return nullptr;
  for (const json::value& item : *options) {
    const json::object* option = item.if_object();
    if (option != nullptr && string_at(*option, "category") == category &&
        array_at(*option, "options") != nullptr) {
      return option;
    }
  }
  return nullptr;
}

Choices values_of(const json::object* option) {
  Choices choices;
  if (option != nullptr) add_choices(choices, array_at(*option, "options"), "value");
  return choices;
}

// Lower case, without "-", "_" and spaces: as agents spell their modes differently.
std::string folded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '_' || c == ' ') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::optional<std::string> chosen(const Choices& choices, std::string_view wanted) {
  for (const Choice& one : choices) {
    if (one.id == wanted) return one.id;
  }
  for (const Choice& one : choices) {
    if (folded(one.name) == folded(wanted) || folded(one.id) == folded(wanted)) return one.id;
  }
  return std::nullopt;
}

std::string shown(const Choices& choices) {
  std::string text;
  std::size_t count = 0;
  for (const Choice& one : choices) {
    if (++count > kMaxShownChoices) return text + ", ...";
    text += (text.empty() ? "" : ", ") + one_line(one.id, kMaxShownName);
    if (!one.name.empty() && folded(one.name) != folded(one.id)) {
      text += " (" + one_line(one.name, kMaxShownName) + ")";
    }
  }
  return text;
}

Failure unknown_value(std::string_view what, std::string_view wanted, const Choices& choices) {
  const std::string kind(what);
  if (choices.empty()) {
    return {ExitCode::kUsage, "the agent offers no " + kind + "s to choose from\n  what to do:\n" +
                                  "    - leave --" + kind +
                                  " out, and set it in the agent's own "
                                  "configuration or environment (agent.args, agent.env)"};
  }
  return {ExitCode::kUsage, "the agent has no " + kind + " \"" + one_line(wanted, kMaxShownName) +
                                "\"\n  what to do:\n    - take one of: " + shown(choices)};
}

SettingCall option_call(const json::object& option, std::string value) {
  SettingCall call{"session/set_config_option", {}, std::move(value)};
  call.params["configId"] = string_at(option, "id");
  call.params["value"] = call.value;
  return call;
}

// Modes in which an agent does not ask before it acts, or asks for a part only: `id` folded.
// Sources: Claude Code's permission modes, the approval presets of codex-acp, the approval modes
// of Gemini CLI and Qwen Code, GOOSE_MODE of goose, the agents "build" and "plan" of opencode.
struct UnaskingMode {
  std::string_view id;
  std::string_view what;
};
constexpr std::array<UnaskingMode, 10> kUnaskingModes{{
    {"bypasspermissions", "asks for nothing"},               // Claude
    {"acceptedits", "changes files without asking"},         // Claude
    {"auto", "decides by itself what it asks for"},          // Claude, Codex, goose
    {"agent", "decides by itself what it asks for"},         // Codex
    {"fullaccess", "asks for nothing"},                      // Codex
    {"agentfullaccess", "asks for nothing"},                 // Codex
    {"autoedit", "changes files without asking"},            // Gemini, Qwen
    {"yolo", "asks for nothing"},                            // Gemini, Qwen
    {"smartapprove", "decides by itself what it asks for"},  // goose
    {"build",
     "asks for what the agent's own configuration says, by default for little"},  // opencode
}};

Choices modes_of(const json::object& session) {
  Choices modes = choices_at(session, "modes", "availableModes", "id");
  return modes.empty() ? values_of(option_of(session, "mode")) : modes;
}

}  // namespace

Outcome<SettingCall> mode_call(const json::object& session, std::string_view wanted) {
  const Choices modes = choices_at(session, "modes", "availableModes", "id");
  if (auto id = chosen(modes, wanted)) {
    SettingCall call{"session/set_mode", {}, std::move(*id)};
    call.params["modeId"] = call.value;
    return call;
  }
  const json::object* const option = option_of(session, "mode");
  if (auto value = chosen(values_of(option), wanted))
    return option_call(*option, std::move(*value));
  return unknown_value("mode", wanted, modes_of(session));
}

Outcome<SettingCall> model_call(const json::object& session, std::string_view wanted) {
  const json::object* const option = option_of(session, "model");
  if (auto value = chosen(values_of(option), wanted))
    return option_call(*option, std::move(*value));
  const Choices models = choices_at(session, "models", "availableModels", "modelId");
  if (auto id = chosen(models, wanted)) {
    SettingCall call{"session/request", {}, std::move(*id)};
    call.params["method"] = "session/set_model";
    call.params["params"] = json::object{{"modelId", call.value}};
    return call;
  }
  return unknown_value("model", wanted, option != nullptr ? values_of(option) : models);
}

std::string current_mode(const json::object& session) {
  if (const json::object* modes = object_at(session, "modes")) {
    const std::string_view id = string_at(*modes, "currentModeId");
    if (!id.empty()) return std::string(id);
  }
  const json::object* const option = option_of(session, "mode");
  return option != nullptr ? std::string(string_at(*option, "currentValue")) : std::string();
}

std::string silence_note(const json::object& session) {
  if (string_at(session, "network") != "none" || session.contains("egress")) return {};
  return "[network] no word from the agent yet. Its container has no network, so it can't reach a "
         "model elsewhere: the relay's configuration leads it to one with agent.preset or "
         "agent.upstreams, and lets it out with container.network_mode: bridge\n";
}

std::string unasked_note(const json::object& session, std::string_view mode,
                         PermissionPolicy policy) {
  if (policy == PermissionPolicy::kAllow) return {};
  for (const UnaskingMode& one : kUnaskingModes) {
    if (one.id != folded(mode)) continue;
    std::string note = "[mode] the agent is in mode " + one_line(mode, kMaxShownName) +
                       ", in which it " + std::string(one.what);
    if (policy == PermissionPolicy::kReject) note += "; --no rejects only what is asked";
    const Choices modes = modes_of(session);
    return note + (modes.size() > 1 ? "; --mode takes: " + shown(modes) : "") + "\n";
  }
  return {};
}

}  // namespace relay::cli
