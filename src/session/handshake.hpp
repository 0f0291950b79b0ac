// The relay's first words with an agent: initialize, then session/new. Pure: frames in, frames out.
#pragma once

#include "base/error.hpp"
#include "protocol/frame.hpp"
#include "protocol/shared_bytes.hpp"
#include "session/message_router.hpp"

#include <optional>
#include <string>
#include <vector>

namespace relay {

struct HandshakeOptions {
  std::string cwd;
  std::string mcp_servers = "[]";          // JSON text
  std::string client_capabilities = "{}";  // JSON text
};

class Handshake {
 public:
  Handshake(RequestIds& ids, HandshakeOptions options);

  // What to send first.
  SharedBytes initialize() const;

  enum class Progress { kWaiting, kSend, kReady, kFailed };

  // Takes one frame of the agent. kSend: next_message() has to be sent. kReady: the session exists.
  Progress take(Frame frame);

  bool ready() const { return session_response_.has_value(); }
  const SharedBytes& next_message() const { return next_; }
  const Error& failure() const { return *failure_; }
  std::string_view phase() const { return phase_; }

  // When ready.
  const std::string& initialize_result() const { return initialize_result_; }  // JSON text
  const Frame& session_response() const { return *session_response_; }
  std::string_view agent_session() const { return agent_session_; }  // as spelled, without quotes
  // Messages that came before the session had an id: to be routed first, in order.
  std::vector<Frame> take_early() { return std::move(early_); }

 private:
  Progress fail(Error error);

  std::int64_t initialize_id_;
  std::int64_t session_id_;
  HandshakeOptions options_;
  std::string phase_ = "initialize";
  SharedBytes next_;
  std::optional<Error> failure_;
  std::string initialize_result_;
  std::optional<Frame> session_response_;
  std::string agent_session_;
  std::vector<Frame> early_;
};

}  // namespace relay
