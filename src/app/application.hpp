// The relay as one object: owns every part, in the order in which they depend on each other.
#pragma once

#include "app/agents.hpp"
#include "app/canary.hpp"
#include "app/egress_watch.hpp"
#include "app/settings.hpp"
#include "app/startup_lines.hpp"
#include "base/blocking_calls.hpp"
#include "base/live.hpp"
#include "config/config.hpp"
#include "config/load.hpp"
#include "config/reload.hpp"
#include "frontend/acp/acp_endpoint.hpp"
#include "frontend/relay_api.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/relay_websocket.hpp"
#include "http/server.hpp"
#include "management/management_api.hpp"
#include "metrics/metrics.hpp"
#include "protocol/secrets.hpp"
#include "session/session_directory.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay::app {

using ReadConfiguration = std::function<config::LoadResult()>;

class Application {
 public:
  // Opens the database, looks at the Engine and opens the ports. On failure nothing is left open.
  // `generated_token` is used where a token is needed and none is configured; `read_again` gives
  // the configuration as it is then, on another thread. Not cancellable.
  static Task<Result<std::unique_ptr<Application>>> start(
      asio::any_io_executor executor, const config::Config& config, ReadConfiguration read_again,
      std::string generated_token, std::shared_ptr<SecretRedactor> redactor, Logger log);

  // Serves until stop() has finished.
  Task<void> run();

  // Reads the configuration again: what needs no restart is in force then, all of it at once. One
  // that is not valid, or whose agents could not be started, changes nothing. Takes as long as an
  // image to be pulled; one at a time. The log says what came of it. Whoever asked may leave.
  Task<management::ReloadOutcome> reload();

  // Returns when an operator has asked the relay to stop, or cancelled.
  Task<void> stop_wanted() { return stop_wanted_.wait(); }

  // Ends sessions, connections and the log, in this order, within server.shutdown_timeout.
  Task<void> stop();

  // For a process that is about to end without stop() having finished: no agent outlives it, and
  // the log knows. Nothing may be called afterwards.
  void abandon();

  Running running() const;

 private:
  Application(asio::any_io_executor executor, const config::Config& config,
              ReadConfiguration read_again, std::string generated_token,
              std::shared_ptr<SecretRedactor> redactor, Logger log);
  Task<Result<void>> open();
  Task<Result<void>> open_agents();
  Task<Keep> is_to_be_kept(SessionId session);
  Task<Result<egress::SpentByUpstream>> spent_before(SessionId session);
  Result<void> bind();
  Result<void> listen();
  Result<void> bind_server(Listener listener, std::unique_ptr<http::Server>& server,
                           std::function<http::HeadVerdict(const http::Request&)> judge_head,
                           http::Handler handler);
  // application_reload.cpp
  Task<void> reload_after(std::shared_ptr<Event> before, std::shared_ptr<Event> done,
                          std::shared_ptr<management::ReloadOutcome> outcome);
  Task<management::ReloadOutcome> reload_now();
  std::vector<std::string> problems_of(const config::Reload& reload) const;
  void take(config::Config config, const std::vector<AgentChange>& agents);
  void change_settings();
  Task<void> watch_loop();
  Task<std::vector<std::string>> not_ready_because();

  asio::any_io_executor executor_;
  config::Config config_;
  ReadConfiguration read_again_;
  BlockingCalls reading_;
  std::string generated_token_;
  std::shared_ptr<SecretRedactor> redactor_;
  Logger log_;
  Metrics metrics_;
  RequestIds request_ids_;
  std::unique_ptr<storage::MessageLog> message_log_;
  std::unique_ptr<EgressWatch> egress_watch_;
  Agents agents_;
  std::unique_ptr<SessionDirectory> sessions_;
  std::unique_ptr<frontend::RelayApi> api_;
  std::unique_ptr<frontend::RelayHttp> relay_http_;
  std::unique_ptr<frontend::RelayWebSocket> relay_websocket_;
  Live<http::AccessRules> http_access_;
  Live<http::AccessRules> websocket_access_;
  Live<http::AccessRules> management_access_;
  Live<std::string> config_json_;
  Live<management::ReadinessLimits> readiness_limits_;
  Live<std::string> agent_command_;
  Live<bool> leaves_sessions_;
  std::unique_ptr<frontend::AcpEndpoint> acp_;
  std::shared_ptr<http::BodyBudget> body_budget_;
  std::unique_ptr<management::ManagementApi> management_;
  std::unique_ptr<http::Server> http_server_;
  std::unique_ptr<http::Server> websocket_server_;
  std::unique_ptr<http::Server> management_server_;
  std::optional<Canary> canary_;
  // What was last found out about the default agent.
  std::vector<ErrorType> unavailable_;
  std::optional<ErrorType> examined_;
  std::chrono::steady_clock::time_point examined_at_{};
  Event stop_wanted_;
  std::shared_ptr<Event> reloading_;  // happens when the last one that was asked for has ended
  TaskScope background_;
  bool stopping_ = false;
};

}  // namespace relay::app
