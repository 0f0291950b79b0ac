// What a session's agent has said of itself, for clients that come later. Pure.
//
// Clients learn modes and configuration options from the answer to session/new; commands, plans,
// the use of the context and sub-agents from updates. A client that loads or resumes the session
// has to get what is in force: settings in their places in the result, updates as they were sent in
// `_meta["acp-relay/state"]`, the last one of each kind.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

class AgentState {
 public:
  // Larger updates are not kept, nor more than this in all.
  static constexpr std::size_t kLargestUpdate = 256u << 10;
  static constexpr std::size_t kMostBytes = 1u << 20;

  AgentState() = default;
  // The session's id as its clients know it, and the agent's result of session/new, load or resume,
  // or an earlier result(): JSON text of an object.
  AgentState(std::string_view session_id, std::string_view session_result);

  enum class Learned {
    kNothing,
    kProgress,  // plan, use of the context: changes all the time
    kSettings,
    kTitle,
  };
  // Whether an update of this kind says something that is kept: few do.
  static bool tells(std::string_view kind);
  // A session/update notification that goes to clients. Those of child sessions change nothing.
  Learned observe(std::string_view notification);

  // The result with what is in force now.
  std::string result() const;
  // The values of `params.update`: each is an update that a client can apply.
  std::vector<std::string_view> updates() const;
  // JSON texts of the ids of child sessions.
  std::vector<std::string> children() const;
  // What the agent calls the session; empty: nothing.
  const std::string& title() const { return title_; }

 private:
  Learned keep(std::string_view kind, std::string_view update);

  std::string session_ = "\"\"";  // JSON text
  std::string result_ = "{}";
  std::map<std::string, std::string, std::less<>> updates_;  // by kind and what it is about
  std::size_t bytes_ = 0;
  std::string title_;
};

// A name for a session that its agent gives none: the first words of its first prompt (content
// blocks, JSON text).
std::string title_of_prompt(std::string_view blocks);

}  // namespace relay
