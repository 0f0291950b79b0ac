// The relay's first words with an agent: initialize, authenticate where a client did, then the
// session. Pure: frames in, frames out.
//
// An agent that is started for an earlier session is asked to go on with it: session/resume where
// it can, else session/load (what it repeats of the conversation is dropped, the relay's log has
// it). One that can do neither, or refuses, gets a session/new: it remembers nothing.
//
// For a fork of an earlier session it is asked for session/fork, and nothing else will do.
#pragma once

#include "base/error.hpp"
#include "protocol/frame.hpp"
#include "protocol/shared_bytes.hpp"
#include "session/message_router.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace relay {

// What the agent is told of the client it works for: JSON texts.
struct Greeting {
  std::string client_capabilities = "{}";
  std::string client_info;   // empty: the relay introduces itself
  std::string authenticate;  // params of an `authenticate` to repeat; empty: none
};

struct HandshakeOptions {
  Greeting greeting;
  std::string cwd;
  std::string session_params = "{}";  // of the client's session/new; `cwd` and ids are replaced
  // The agent's id of an earlier session, as spelled: to go on with, or to fork.
  std::string previous_session;
  bool fork = false;
  // Of all messages together that come before the session has an id.
  std::size_t max_early_bytes = 32u << 20;
};

// Whether an agent that answered `initialize` so can go on with an earlier session.
bool can_go_on(std::string_view initialize_result);
// Whether it can fork a session that another process of it has made: one that can't find such a
// session to go on with will not find it to fork either. Source: ACP, unstable `session/fork`.
bool can_fork(std::string_view initialize_result);

class Handshake {
 public:
  // kIntroduction: no session is made.
  enum class Extent { kSession, kIntroduction };

  Handshake(RequestIds& ids, HandshakeOptions options, Extent extent = Extent::kSession);

  // What to send first.
  const SharedBytes& initialize() const { return next_; }

  enum class Progress { kWaiting, kSend, kReady, kFailed };

  // Takes one frame of the agent. kSend: next_message() has to be sent. kReady: the session exists.
  Progress take(Frame frame);

  // Notes what the agent printed that is no message: how it begins.
  void skipped(std::string excerpt);
  // The first of them, empty: there was none.
  const std::string& first_skipped() const { return first_skipped_; }

  bool ready() const { return ready_; }
  const SharedBytes& next_message() const { return next_; }
  const Error& failure() const { return *failure_; }
  std::string_view phase() const { return phase_; }

  // When ready.
  const std::string& initialize_result() const { return initialize_result_; }  // JSON text
  const Frame& session_response() const { return *session_response_; }
  std::string_view agent_session() const { return agent_session_; }  // as spelled, without quotes
  // Whether the agent knows what was said in the previous session.
  bool remembers() const { return phase_ != "session/new"; }
  // Messages that came before the session had an id: to be routed first, in order.
  std::vector<Frame> take_early() { return std::move(early_); }

 private:
  Progress fail(Error error);
  Progress keep_early(Frame frame);
  bool answers(const Frame& frame) const;
  Progress ask(std::string_view method, std::string params);
  Progress introduced();
  Progress open_session(std::string_view method);
  Progress session_opened(Frame response);
  bool goes_on() const { return phase_ == "session/resume" || phase_ == "session/load"; }

  RequestIds& ids_;
  HandshakeOptions options_;
  Extent extent_;
  std::string phase_;
  std::int64_t awaited_ = 0;  // id of the request that is not answered yet
  SharedBytes next_;
  bool ready_ = false;
  std::optional<Error> failure_;
  std::string initialize_result_;
  std::optional<Frame> session_response_;
  std::string agent_session_;
  std::vector<Frame> early_;
  std::size_t early_bytes_ = 0;
  std::string first_skipped_;
};

}  // namespace relay
