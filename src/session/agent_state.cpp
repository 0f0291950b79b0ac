#include "session/agent_state.hpp"

#include "protocol/json_scan.hpp"

#include <boost/json.hpp>

namespace relay {
namespace {

// Updates that change settings are small, and most updates change none: these are told apart
// without a look at their parts.
constexpr std::size_t kLargestUpdate = 256u << 10;
constexpr std::size_t kTitleBytes = 80;

std::string_view member(std::string_view object, std::string_view key) {
  return object_member(object, key).value_or(std::string_view());
}

std::string unquoted(std::string_view json) {
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(json, failure);
  return !failure && value.is_string() ? std::string(value.as_string()) : std::string();
}

// Up to `limit` bytes of the first line, cut between characters.
std::string first_line(std::string text, std::size_t limit) {
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  text.resize(limit);
  return text + "\xE2\x80\xA6";
}

}  // namespace

AgentState::Learned AgentState::observe(std::string_view notification) {
  if (notification.size() > kLargestUpdate) return Learned::kNothing;
  const bool mode = notification.find("current_mode_update") != std::string_view::npos;
  const bool options = notification.find("config_option_update") != std::string_view::npos;
  const bool info = notification.find("session_info_update") != std::string_view::npos;
  if (!mode && !options && !info) return Learned::kNothing;
  const std::string_view update = member(member(notification, "params"), "update");
  const std::string_view kind = member(update, "sessionUpdate");
  if (kind == "\"current_mode_update\"") {
    const std::string_view id = member(update, "currentModeId");
    const std::string_view modes = member(result_, "modes");
    if (!id.empty() && modes.starts_with('{')) {
      const std::string changed = with_member(modes, "currentModeId", id);
      result_ = with_member(result_, "modes", changed);
      return Learned::kSettings;
    }
  } else if (kind == "\"config_option_update\"") {
    const std::string_view all = member(update, "configOptions");
    if (all.empty()) return Learned::kNothing;
    result_ = with_member(result_, "configOptions", std::string(all));
    return Learned::kSettings;
  } else if (kind == "\"session_info_update\"") {
    const std::string_view title = member(update, "title");
    if (title.empty()) return Learned::kNothing;
    std::string name = first_line(unquoted(title), kTitleBytes);
    if (name == title_) return Learned::kNothing;
    title_ = std::move(name);
    return Learned::kTitle;
  }
  return Learned::kNothing;
}

std::string title_of_prompt(std::string_view blocks) {
  for (const std::string_view block : array_elements(blocks)) {
    if (member(block, "type") != "\"text\"") continue;
    std::string text = unquoted(member(block, "text"));
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos) return first_line(text.substr(begin), kTitleBytes);
  }
  return {};
}

}  // namespace relay
