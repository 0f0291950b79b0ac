#include "config/reference.hpp"

#include "config/agent_keys.hpp"
#include "config/agent_presets.hpp"
#include "config/emit.hpp"
#include "config/upstream_presets.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr std::size_t kWidth = 98;

std::string section_of(const Key& key) {
  const auto dot = key.path.rfind('.');
  return dot == std::string::npos ? "" : key.path.substr(0, dot);
}

std::string section_doc(const std::string& path) {
  for (const SectionDoc& section : section_docs()) {
    if (section.path == path) return section.doc;
  }
  return "";
}

constexpr const char* kAgentsDoc =
    "Further agents by name, beside the default one that `agent` and `container` describe. A "
    "session/new names one with `agent`, a path with /agents/NAME/acp. A name has small letters, "
    "digits, - and _. What an agent does not say is as for the default one; its own `image`, "
    "`command` or `preset` comes without the default agent's command, arguments, environment and "
    "upstreams. Other keys of "
    "`agent` and `container` are settings for all agents. The environment overrides a key of an "
    "agent "
    "of the file with ACP_RELAY_AGENTS_<NAME>_<KEY>, - as _.";

// Comment lines of at most kWidth columns.
std::string comment(const std::string& text, std::size_t indent) {
  const std::string margin = std::string(indent, ' ') + "#";
  std::string lines;
  std::string line = margin;
  std::size_t start = 0;
  while (start < text.size()) {
    const auto space = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, space - start);
    if (line.size() + 1 + word.size() > kWidth && line != margin) {
      lines += line + "\n";
      line = margin;
    }
    line += " " + word;
    start = space + 1;
  }
  return lines + line + "\n";
}

std::string default_text(const Key& key) {
  std::string text = yaml_after_key(key.write(Config{}), 0);
  const bool lines = text.starts_with('\n');
  if (!lines) return text.substr(1, text.size() - 2);
  const Value value = key.write(Config{});
  std::string flow;
  for (const Value& item : value.items) flow += (flow.empty() ? "" : ", ") + item.text;
  if (value.kind == Value::Kind::kList) return "[" + flow + "]";
  for (const Value::Field& field : value.fields)
    flow += (flow.empty() ? "" : ", ") + field.name + ": \"" + field.value.text + "\"";
  return "{" + flow + "}";
}

// "POST /a, /b; GET /c"
std::string rules_text(const std::vector<AllowConfig>& rules) {
  std::string text;
  std::string open;
  for (const AllowConfig& rule : rules) {
    const std::string& method = rule.methods.front();
    if (method != open) text += (open.empty() ? "" : "; ") + method + " ";
    text += (method == open ? ", `" : "`") + rule.path + "`";
    open = method;
  }
  return text;
}

std::string presets_markdown() {
  std::string text =
      "### Presets of `egress.upstreams`\n\n| Preset | URL | Credential | Rules |\n"
      "| --- | --- | --- | --- |\n";
  for (const UpstreamConfig& preset : upstream_presets()) {
    const CredentialConfig& credential = preset.credential;
    const std::string place = credential.header.empty()
                                  ? "none"
                                  : "`" + credential.header + ": " + credential.prefix + "...`";
    text += "| `" + preset.name + "` | " + preset.url + " | " + place + " | " +
            rules_text(preset.allow) + " |\n";
  }
  return text + "\n";
}

std::string agent_presets_markdown() {
  std::string text =
      "### Presets of `agent.preset`\n\n| Preset | Speaks to upstreams of | Image | Environment |\n"
      "| --- | --- | --- | --- |\n";
  for (const AgentPreset& preset : agent_presets()) {
    std::string names;
    for (const auto& [name, value] : preset.ways.front().env)
      names += (names.empty() ? "`" : ", `") + name + "`";
    text += "| `" + preset.name + "` | " + upstreams_of_preset(preset) + " | `" + preset.image +
            "` | " + names + " |\n";
  }
  return text + "\n";
}

std::string cell(std::string text) {
  for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.replace(at, 1, "\\|");
  return text;
}

}  // namespace

std::string example_yaml() {
  std::string text = comment(
      "Every key of the relay's configuration at its default: a file needs only the keys that "
      "differ. "
      "Each is described above its line, with its type and default in parentheses. Durations: "
      "500ms, 30s, 2m, "
      "1h, or plain seconds. Sizes: 512M, 2G, 64Ki, or plain bytes; K, M, G and T are powers of "
      "1024. Strings may hold ${VAR} and ${VAR:-default}. ACP_RELAY_<SECTION>_<KEY> in the "
      "environment overrides a key. Check a file with: acp-relay check-config FILE",
      0);
  std::string open;
  for (const Key& key : all_keys()) {
    const std::string section = section_of(key);
    const auto depth = static_cast<std::size_t>(std::count(key.path.begin(), key.path.end(), '.'));
    const std::size_t indent = 2 * depth;
    if (section != open && !section.empty() && !open.starts_with(section + ".")) {
      const std::string name = section.substr(section.rfind('.') + 1);
      text += "\n" + comment(section_doc(section), indent - 2);
      text += std::string(indent - 2, ' ') + name + ":\n";
    } else {
      text += "\n";
    }
    open = section;
    const std::string name = key.path.substr(key.path.rfind('.') + 1);
    text += comment(key.doc + " (" + key.type + "; default " + default_text(key) + ")", indent);
    text += std::string(indent, ' ') + name + ":" + yaml_after_key(key.write(Config{}), indent + 2);
  }
  text += "\n" + comment(kAgentsDoc + std::string(" docs/configuration.md has their keys."), 0) +
          "agents:\n"
          "#  claude:\n"
          "#    preset: claude\n"
          "#    memory_limit: 4G\n"
          "#  local:\n"
          "#    command: [my-agent, --acp]\n";
  return text;
}

std::string reference_markdown() {
  std::string text;
  for (const SectionDoc& section : section_docs()) {
    text += "### " + (section.path.empty() ? "Without a section" : "`" + section.path + "`") +
            "\n\n" + section.doc +
            "\n\n| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n";
    for (const Key& key : all_keys()) {
      if (section_of(key) != section.path) continue;
      text += "| `" + key.path + "`";
      if (!key.alias.empty()) text += " or `" + key.alias + "`";
      const std::string value = default_text(key);
      text += " | " + cell(key.type) + " | " +
              (value == "\"\"" ? "empty" : "`" + cell(value) + "`") + " | " + cell(key.doc) +
              (key.reload == Reloading::kAtOnce ? " *Read again.*" : "") + " |\n";
    }
    text += "\n";
  }
  text += presets_markdown();
  text += agent_presets_markdown();
  text += std::string("### `agents`\n\n") + kAgentsDoc +
          "\n\n| Key | Type | Without it | Meaning |\n| --- | --- | --- | --- |\n";
  for (const AgentKey& key : agent_keys()) {
    text += "| `" + agent_path("NAME", key.name) + "` | " + cell(key.type) + " | " + key.inherited +
            " | " + cell(key.doc) + " |\n";
  }
  return text + "\n";
}

}  // namespace relay::config
