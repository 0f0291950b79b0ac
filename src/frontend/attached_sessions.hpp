// The sessions that one connection uses: what a WebSocket and an ACP connection have in common.
#pragma once

#include "session/session.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace relay::frontend {

class AttachedSessions {
 public:
  struct One {
    std::shared_ptr<Session> session;
    ClientId client;
  };

  // Whether the client chose the session (made, resumed or loaded it): then it becomes the current
  // one. Who only names it in a message has not chosen it.
  enum class Chosen : bool { kNo, kYes };

  // In place of an earlier attachment to the same session. Lets go of closed ones, but not of the
  // current one.
  Result<ClientId> attach(const std::shared_ptr<Session>& session, Attachment attachment,
                          Chosen chosen);
  std::size_t size() const { return sessions_.size(); }
  void detach_all();
  // Lets go of what has been closed.
  void forget_closed();

  // Null: never attached, or the session is not ready (any more).
  std::shared_ptr<Session> session(std::string_view id) const;
  // Null also where the session has let go of the client, which was too slow.
  const One* find(std::string_view id) const;
  // Who takes this message; null for a prompt also where the session's agent has just ended:
  // another one may answer it.
  const One* find_for(const Frame& frame, std::string_view id) const;

  // What the session says still comes to its client, be it the last words.
  bool hears(std::string_view id) const;

  // The session that was chosen last: what messages without a sessionId may mean. Empty: none.
  const std::string& current() const { return current_; }

  // Gives a response to the session whose agent asked the client; ids of such requests are unique
  // in the process. Answers to nothing are dropped.
  void route_response(Frame frame) const;

  // Gives a $/cancel_request to the session that has the request; when two have one of that id, to
  // `preferred`. False: nobody has it.
  bool route_cancel(Frame& frame, std::string_view preferred) const;

 private:
  std::map<std::string, One, std::less<>> sessions_;
  std::string current_;
};

}  // namespace relay::frontend
