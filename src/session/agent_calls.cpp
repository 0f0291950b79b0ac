#include "session/agent_calls.hpp"

#include "protocol/json_scan.hpp"

#include <algorithm>
#include <utility>

namespace relay {

std::string_view AgentCall::params() const {
  return object_member(to_client.view(), "params").value_or("{}");
}

namespace {

bool waits_for_permission(const AgentCall& call) {
  return call.kind == acp::ReverseKind::kPermission && !call.is_withdrawn;
}

}  // namespace

AgentCall& AgentCalls::add(std::int64_t id, AgentCall call) {
  remove(id);
  if (call.kind == acp::ReverseKind::kPermission || call.kind == acp::ReverseKind::kElicitation) {
    call.session = object_member(call.params(), "sessionId").value_or(std::string_view());
  }
  call.has_room = bytes_.take(call.to_client.size());
  return calls_.emplace(id, std::move(call)).first->second;
}

std::optional<AgentCall> AgentCalls::take(std::int64_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return std::nullopt;
  AgentCall call = std::move(found->second);
  calls_.erase(found);
  if (call.has_room) bytes_.give(call.to_client.size());
  return call;
}

std::map<std::int64_t, AgentCall> AgentCalls::take_all() {
  bytes_.give(bytes_.used());
  return std::exchange(calls_, {});
}

AgentCall* AgentCalls::find(std::int64_t id) {
  const auto found = calls_.find(id);
  return found != calls_.end() ? &found->second : nullptr;
}

std::optional<std::int64_t> AgentCalls::id_of(std::string_view agent_id) const {
  for (const auto& [id, call] : calls_) {
    if (call.agent_id == agent_id) return id;
  }
  return std::nullopt;
}

const AgentCall* AgentCalls::find(std::int64_t id) const {
  const auto found = calls_.find(id);
  return found != calls_.end() ? &found->second : nullptr;
}

bool AgentCalls::was_asked(std::int64_t id, ClientId client) const {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;
  const auto& asked = found->second.asked;
  return std::find(asked.begin(), asked.end(), client) != asked.end();
}

std::size_t AgentCalls::permissions() const {
  return static_cast<std::size_t>(
      std::count_if(calls_.begin(), calls_.end(),
                    [](const auto& entry) { return waits_for_permission(entry.second); }));
}

std::optional<std::chrono::steady_clock::time_point> AgentCalls::oldest_permission() const {
  std::optional<std::chrono::steady_clock::time_point> oldest;
  for (const auto& [id, call] : calls_) {
    if (!waits_for_permission(call)) continue;
    if (!oldest || call.since < *oldest) oldest = call.since;
  }
  return oldest;
}

std::optional<std::chrono::steady_clock::time_point> AgentCalls::next_deadline() const {
  std::optional<std::chrono::steady_clock::time_point> next;
  for (const auto& [id, call] : calls_) {
    if (call.deadline && (!next || *call.deadline < *next)) next = call.deadline;
  }
  return next;
}

}  // namespace relay
