// What a session in a container is made of, by bare calls to the Engine: its directories, create,
// attach, wait, start and the agent's handshake; then TERM, its end, and the removal of everything.
//
// The body of the create call is the relay's own, with two placeholders in it (SessionPlan). One
// thread; nothing runs beside it, and nothing is logged, limited, checked or cleaned up: an error
// ends the program, and whoever started it removes what is left.
#pragma once

#include "engine_floor/engine_connection.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace relay::bench {

struct SessionPlan {
  std::string socket_path;
  std::string body;  // of the create call; @BASE@ and @SESSION@ stand for the two values
  std::string base;  // directory in which the sessions' directories are made
  uid_t user = 0;    // who they belong to
};

class BareSession {
 public:
  explicit BareSession(const SessionPlan& plan);

  /// To the agent's answer to session/new. The first line is written before the start, since the
  /// Engine keeps it.
  void start();
  /// One request and its answer through the attached stream.
  void echo(const std::string& line);
  /// Asks the agent to end; returns when the Engine's wait call has answered.
  void terminate();
  /// After terminate(): reads the cause, removes the container and the directories.
  void remove();

  [[nodiscard]] const std::string& agent_session() const { return agent_session_; }

 private:
  void make_directories() const;
  std::string read_line();

  const SessionPlan& plan_;
  EngineConnection calls_;
  EngineConnection waiting_;
  std::optional<EngineConnection> attached_;
  std::string directory_;
  std::string container_;  // id
  std::string frames_;     // of the attached stream, not yet taken apart
  std::string output_;     // what the agent said and nobody has read
  std::string agent_session_;
};

/// "/v1.41/containers/ID" and what follows.
std::string container_path(std::string_view id, std::string_view rest);

/// The text behind `"key":"` up to the next quote; ends the program when it is not there.
std::string text_behind(std::string_view json, std::string_view key);

}  // namespace relay::bench
