#include "storage/held_sessions.hpp"

#include <algorithm>

namespace relay::storage {

HeldSession::HeldSession(const SessionId& session, std::optional<std::int64_t> stored_number,
                         HeldWrites held,
                         const std::unordered_map<std::int64_t, std::int64_t>& reopened)
    : id_(session.value()) {
  if (stored_number) numbers_.insert(*stored_number);
  for (const auto& [given, stored] : reopened) {
    if (stored_number == stored) numbers_.insert(given);
  }
  for (const auto& entry : held) {
    const auto* create = std::get_if<std::unique_ptr<SessionCreate>>(&entry.write);
    if (create != nullptr && (*create)->record.id == session) numbers_.insert((*create)->number);
  }
}

HeldSessions::HeldSessions(HeldWrites held) {
  for (const auto& entry : held) {
    if (const auto* create = std::get_if<std::unique_ptr<SessionCreate>>(&entry.write)) {
      states_[(*create)->record.id] = State{create->get()};
    } else if (const auto* change = std::get_if<std::unique_ptr<SessionChange>>(&entry.write)) {
      states_[(*change)->record.id].change = &(*change)->record;
    } else if (const auto* close = std::get_if<std::unique_ptr<SessionClose>>(&entry.write)) {
      states_[(*close)->id].close = close->get();
    } else if (const auto* use = std::get_if<std::unique_ptr<UseWrite>>(&entry.write)) {
      states_[(*use)->id].use = use->get();
    }
  }
}

std::optional<SessionRecord> HeldSessions::created(const SessionId& session) const {
  const auto found = states_.find(session);
  if (found == states_.end() || found->second.create == nullptr) return std::nullopt;
  SessionRecord record;
  apply(found->second, record);
  return record;
}

std::vector<std::pair<std::int64_t, SessionRecord>> HeldSessions::created_before(
    std::int64_t number) const {
  std::vector<std::pair<std::int64_t, SessionRecord>> sessions;
  for (const auto& [id, state] : states_) {
    if (state.create == nullptr || state.create->number >= number) continue;
    sessions.emplace_back(state.create->number, SessionRecord{});
    apply(state, sessions.back().second);
  }
  std::ranges::sort(sessions, std::greater{}, &std::pair<std::int64_t, SessionRecord>::first);
  return sessions;
}

void HeldSessions::apply(SessionRecord& record) const {
  const auto found = states_.find(record.id);
  if (found != states_.end()) apply(found->second, record);
}

void HeldSessions::apply(const State& state, SessionRecord& record) {
  if (state.create != nullptr) {
    const std::string use = std::move(record.upstream_use);
    record = state.create->record;
    if (record.upstream_use.empty()) record.upstream_use = use;
  }
  if (state.use != nullptr) record.upstream_use = state.use->upstream_use;
  if (state.change != nullptr) {
    record.agent_session_id = state.change->agent_session_id;
    record.working_directory = state.change->working_directory;
    record.title = state.change->title;
    record.agent_profile = state.change->agent_profile;
    record.agent_settings = state.change->agent_settings;
    record.last_sequence = std::max(record.last_sequence, state.change->last_sequence);
    record.updated_at = std::max(record.updated_at, state.change->updated_at);
  }
  if (state.close != nullptr && !record.closed_at) {
    record.closed_at = state.close->at;
    record.cause = state.close->cause;
  }
}

}  // namespace relay::storage
