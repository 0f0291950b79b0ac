// What a session's agent has said of its settings, for clients that come later. Pure.
//
// Clients learn modes and configuration options from the answer to session/new and from updates; a
// client that loads or resumes the session has to get the values that are in force.
#pragma once

#include <string>
#include <string_view>

namespace relay {

class AgentState {
 public:
  AgentState() = default;
  // The agent's result of session/new, load or resume: JSON text of an object.
  explicit AgentState(std::string session_result) : result_(std::move(session_result)) {}

  enum class Learned { kNothing, kSettings, kTitle };
  // A session/update notification that goes to clients.
  Learned observe(std::string_view notification);

  // The result with the mode and the options of now.
  const std::string& result() const { return result_; }
  // What the agent calls the session; empty: nothing.
  const std::string& title() const { return title_; }

 private:
  std::string result_ = "{}";
  std::string title_;
};

// A name for a session that its agent gives none: the first words of its first prompt (content
// blocks, JSON text).
std::string title_of_prompt(std::string_view blocks);

}  // namespace relay
