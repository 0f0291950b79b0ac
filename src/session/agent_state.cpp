#include "session/agent_state.hpp"

#include "protocol/json_scan.hpp"

#include <boost/json.hpp>

namespace relay {
namespace {

constexpr std::string_view kStateKey = "acp-relay/state";
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

constexpr std::string_view kMode = "current_mode_update";
constexpr std::string_view kOptions = "config_option_update";
constexpr std::string_view kInfo = "session_info_update";
constexpr std::string_view kCommands = "available_commands_update";
constexpr std::string_view kUsage = "usage_update";
constexpr std::string_view kPlan = "plan";
constexpr std::string_view kPlanUpdate = "plan_update";
constexpr std::string_view kPlanRemoved = "plan_removed";
constexpr std::string_view kSubagent = "subagent_update";

// Of two updates with this name the later one counts.
std::string name_of(std::string_view kind, std::string_view update) {
  std::string name(kind);
  if (kind == kPlanUpdate) return name.append(" ").append(member(member(update, "plan"), "planId"));
  if (kind == kPlanRemoved) {
    return std::string(kPlanUpdate).append(" ").append(member(update, "planId"));
  }
  if (kind == kSubagent) return name.append(" ").append(member(update, "sessionId"));
  return name;
}

}  // namespace

AgentState::AgentState(std::string_view session_id, std::string_view session_result)
    : session_('"' + std::string(session_id) + '"'), result_(session_result) {
  const std::string meta(member(result_, "_meta"));
  const std::string_view kept = member(meta, kStateKey);
  if (kept.empty()) return;
  for (const std::string_view update : array_elements(kept)) {
    keep(unquoted(member(update, "sessionUpdate")), update);
  }
  const std::string rest = without_member(meta, kStateKey);
  result_ = rest == "{}" ? without_member(result_, "_meta") : with_member(result_, "_meta", rest);
}

bool AgentState::tells(std::string_view kind) {
  for (const std::string_view one :
       {kMode, kOptions, kInfo, kCommands, kUsage, kPlan, kPlanUpdate, kPlanRemoved, kSubagent}) {
    if (kind == one) return true;
  }
  return false;
}

AgentState::Learned AgentState::observe(std::string_view notification) {
  if (notification.size() > kLargestUpdate) return Learned::kNothing;
  const std::string_view params = member(notification, "params");
  if (member(params, "sessionId") != session_) return Learned::kNothing;
  const std::string_view update = member(params, "update");
  const std::string kind = unquoted(member(update, "sessionUpdate"));
  if (kind == kMode) {
    const std::string_view id = member(update, "currentModeId");
    const std::string_view modes = member(result_, "modes");
    if (id.empty() || !modes.starts_with('{')) return Learned::kNothing;
    if (member(modes, "currentModeId") == id) return Learned::kNothing;
    const std::string changed = with_member(modes, "currentModeId", id);
    result_ = with_member(result_, "modes", changed);
    return Learned::kSettings;
  }
  if (kind == kOptions) {
    const std::string_view all = member(update, "configOptions");
    if (all.empty() || member(result_, "configOptions") == all) return Learned::kNothing;
    result_ = with_member(result_, "configOptions", std::string(all));
    return Learned::kSettings;
  }
  if (kind == kInfo) {
    const std::string_view title = member(update, "title");
    if (title.empty()) return Learned::kNothing;
    std::string name = first_line(unquoted(title), kTitleBytes);
    if (name == title_) return Learned::kNothing;
    title_ = std::move(name);
    return Learned::kTitle;
  }
  return tells(kind) ? keep(kind, update) : Learned::kNothing;
}

AgentState::Learned AgentState::keep(std::string_view kind, std::string_view update) {
  const std::string name = name_of(kind, update);
  const auto before = updates_.find(name);
  std::string now(update);
  if (kind == kSubagent && before != updates_.end()) {  // what it leaves out has not changed
    now = with_members(before->second, update);
  }
  if (before != updates_.end()) {
    if (before->second == now) return Learned::kNothing;
    bytes_ -= name.size() + before->second.size();
    updates_.erase(before);
  }
  const std::size_t size = name.size() + now.size();
  if (kind != kPlanRemoved && size <= kLargestUpdate && bytes_ + size <= kMostBytes) {
    bytes_ += size;
    updates_.emplace(name, std::move(now));
  }
  return kind == kCommands || kind == kSubagent ? Learned::kSettings : Learned::kProgress;
}

std::vector<std::string_view> AgentState::updates() const {
  std::vector<std::string_view> all;
  for (const auto& [name, update] : updates_) all.emplace_back(update);
  return all;
}

std::vector<std::string> AgentState::children() const {
  std::vector<std::string> ids;
  for (const auto& [name, update] : updates_) {
    if (name.starts_with(kSubagent)) ids.emplace_back(member(update, "sessionId"));
  }
  return ids;
}

std::string AgentState::result() const {
  if (updates_.empty()) return result_;
  std::string list;
  for (const std::string_view update : updates()) {
    list.append(list.empty() ? "" : ",").append(update);
  }
  return with_meta(result_, '"' + std::string(kStateKey) + "\":[" + list + "]");
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
