// The relay's WebSocket dialect (port 8081, path /): one connection, any number of sessions.
//
// One coroutine reads, one writes what the outbox holds; everything that asks the log or starts an
// agent runs beside them, so that a slow session/new holds nothing up.
#pragma once

#include "base/live.hpp"
#include "frontend/attached_sessions.hpp"
#include "frontend/call_budget.hpp"
#include "frontend/relay_api.hpp"
#include "http/access.hpp"
#include "http/server.hpp"
#include "metrics/metrics.hpp"
#include "session/outbox.hpp"

#include <tl/expected.hpp>

#include <memory>
#include <optional>
#include <string>

namespace relay::frontend {

struct WebSocketFrontendOptions {
  Live<http::AccessRules> access;
  FrameLimits frame;
  OutboxLimits outbox;
  std::size_t max_running_calls = 64;  // session/new and alike of one connection at the same time
};

class RelayWebSocket {
 public:
  RelayWebSocket(RelayApi& api, Metrics& metrics, Logger log, WebSocketFrontendOptions options);

  // What the head of a request decides by itself (http::ServerOptions::judge_head).
  http::HeadVerdict judge(const http::Request& head);

  // The http::Handler of the WebSocket port.
  Task<void> handle(http::Exchange& exchange);

 private:
  // Who asks, or the answer to who may not and to what is no handshake.
  tl::expected<http::Principal, http::Response> admit(const http::Request& head);

  RelayApi& api_;
  Metrics& metrics_;
  Logger log_;
  WebSocketFrontendOptions options_;
};

// One connection, after the upgrade. run() returns when it is over and everything is detached.
class WebSocketClient {
 public:
  WebSocketClient(RelayApi& api, Metrics& metrics, const WebSocketFrontendOptions& options,
                  http::WebSocket& socket, http::Principal principal,
                  asio::any_io_executor executor);

  Task<void> run();

 private:
  // Gives the result of a request.
  using Call = Task<Result<std::string>> (WebSocketClient::*)(const Frame&);

  // Of a method that the relay answers itself; null: it is none.
  static Call call_of(std::string_view method);
  Task<void> serve();
  Task<void> write();
  void take(tl::expected<Frame, FrameError> frame);
  void route(Frame frame);
  void cancel_request(Frame frame);
  void to_session(std::string_view id, Frame frame);
  void start_call(Call call, Frame frame);
  Task<void> answer(Call call, std::shared_ptr<Frame> frame);
  Task<Result<std::string>> initialize(const Frame& frame);
  Task<Result<std::string>> open_session(const Frame& frame);
  Task<Result<std::string>> resume_session(const Frame& frame);
  Task<Result<std::string>> list(const Frame& frame);
  Task<Result<std::string>> history(const Frame& frame);
  Task<Result<std::string>> close(const Frame& frame);
  Task<Result<std::string>> erase(const Frame& frame);
  Task<Result<std::string>> respond(const Frame& frame);
  Task<void> attach_and_route(std::string id, std::shared_ptr<Frame> frame);
  Result<ClientId> attach(const std::shared_ptr<Session>& session, bool observe,
                          std::optional<storage::Sequence> after, AttachedSessions::Chosen chosen);

  void reply(std::string text);
  void refuse(std::string_view id, const Error& error);
  bool is_observer() const { return principal_.role == http::Role::kObserver; }

  RelayApi& api_;
  Metrics& metrics_;
  const WebSocketFrontendOptions& options_;
  http::WebSocket& socket_;
  http::Principal principal_;
  TaskScope scope_;
  std::shared_ptr<Outbox> outbox_;
  AttachedSessions sessions_;  // messages without a sessionId mean the current one
  CallBudget budget_;          // of calls to the relay itself
};

}  // namespace relay::frontend
