// The ids of one session, and of the child sessions that its agent makes under it (sub-agents):
// what the agent calls them, what clients call them (protocol/relay_ids.hpp), and how a message is
// translated from one to the other. Pure.
//
// A child is bound when the agent announces it (`subagent_update`, ACP schema 1.34); from then on
// its id is translated wherever it stands under a key that names a session.
#pragma once

#include "base/strong_id.hpp"
#include "protocol/frame.hpp"
#include "protocol/splice.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace relay {

class SessionIds {
 public:
  // Longer ids of children are not translated, nor those of more children than `max_children`.
  static constexpr std::size_t kLongestChild = 256;

  // Ids without quotes; the agent's as it spelled it.
  SessionIds(const SessionId& relay_session, std::string_view agent_session,
             std::size_t max_children);

  // JSON texts.
  const std::string& relay() const { return relay_; }
  const std::string& agent() const { return agent_; }
  // The agent's id when it is unmistakable, see FrameLimits::watched_id; empty otherwise.
  const std::string& watched() const { return watched_; }

  enum class Bound { kNothing, kBound, kTooMany };
  // Binds what a notification of the agent announces.
  Bound observe(const Frame& notification);
  // A child that clients know by this id (JSON text): of an earlier run of the relay.
  void restore_child(std::string_view relay_json);

  void to_clients(const Frame& frame, Edits& edits) const;
  void to_agent(const Frame& frame, Edits& edits) const;
  // The agent's id (JSON text) of a child that clients know by `relay_id`, without quotes.
  std::string child_for_agent(std::string_view relay_id) const;

 private:
  Bound bind(std::string_view agent_json);

  std::string relay_;
  std::string agent_;
  std::string watched_;
  std::string child_prefix_;  // of what clients call a child
  std::size_t max_children_;
  std::set<std::string, std::less<>> children_;  // JSON texts of the agent's ids
};

}  // namespace relay
