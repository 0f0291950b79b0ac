// What writes that are not in the database yet say about sessions.
#pragma once

#include "storage/message_store.hpp"

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace relay::storage {

// Tells whether a held write belongs to one session, under whichever key it was recorded.
class HeldSession {
 public:
  HeldSession(const SessionId& session, std::optional<std::int64_t> stored_number, HeldWrites held,
              const std::unordered_map<std::int64_t, std::int64_t>& reopened);
  bool operator()(const SessionKey& key) const {
    return key.number == 0 ? key.id == id_ : numbers_.contains(key.number);
  }

 private:
  std::string id_;
  std::set<std::int64_t> numbers_;
};

// The states that held writes give to sessions. Lives as long as one read.
class HeldSessions {
 public:
  explicit HeldSessions(HeldWrites held);

  // A session that only held writes know.
  std::optional<SessionRecord> created(const SessionId& session) const;
  // All of those with a lower number, newest first.
  std::vector<std::pair<std::int64_t, SessionRecord>> created_before(std::int64_t number) const;
  // Brings a stored session up to date.
  void apply(SessionRecord& record) const;

 private:
  struct State {
    const SessionCreate* create = nullptr;
    const SessionRecord* change = nullptr;
    const SessionClose* close = nullptr;
    const UseWrite* use = nullptr;
  };
  static void apply(const State& state, SessionRecord& record);

  std::map<SessionId, State> states_;
};

}  // namespace relay::storage
