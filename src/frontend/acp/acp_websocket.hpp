// An ACP connection over a WebSocket: one text message is one JSON-RPC message, `initialize` first.
#pragma once

#include "frontend/acp/acp_connection.hpp"
#include "http/server.hpp"

namespace relay::frontend {

class AcpWebSocket final : private AcpStreams {
 public:
  AcpWebSocket(RelayApi& api, Metrics& metrics, const AcpOptions& options, http::WebSocket& socket,
               AcpCaller caller, asio::any_io_executor executor);

  // Returns when the connection is over and everything is detached.
  Task<void> run();

 private:
  std::shared_ptr<Outbox> of_connection() override { return outbox_; }
  std::shared_ptr<Outbox> of_session(const std::string&, Claim) override { return outbox_; }
  bool are_one() const override { return true; }
  void answer_follows(const std::string&) override {}

  Task<void> serve();
  Task<void> write();
  Task<void> give_up_waiting();
  void take(tl::expected<Frame, FrameError> frame);
  Task<bool> greet(tl::expected<Frame, FrameError> frame);

  RelayApi& api_;
  Metrics& metrics_;
  const AcpOptions& options_;
  http::WebSocket& socket_;
  TaskScope scope_;
  std::shared_ptr<Outbox> outbox_;
  AcpConnection connection_;
};

}  // namespace relay::frontend
