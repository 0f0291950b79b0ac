// The HTTP API of the operator: health, readiness, configuration, sessions and metrics.
//
//   GET    /api/health                 200 while the process runs
//   GET    /api/ready                  200, or 503 with the reasons why no session can be made
//   GET    /api/overview               readiness, agents and what they use, recent events and
//                                      errors; ?limit=&offset= of the agents
//   GET    /api/audit                  who did what to which session, the oldest first;
//                                      ?session=&principal=&after=&limit=
//   GET    /api/config                 the configuration without secrets
//   GET    /api/sessions               live and closed, newest first; ?limit=&cursor=
//   GET    /api/sessions/{id}
//   DELETE /api/sessions/{id}          closes a live session, erases a closed one
//   GET    /api/sessions/{id}/export   the whole log of a session as JSON lines
//   POST   /api/sessions/close         closes live sessions; ?only=idle or ?only=all
//   POST   /api/sessions/import        such lines become a closed session; ?newId=true
//   GET    /api/drain                  what a stop of the relay would still wait for, or end
//   POST   /api/drain                  no new sessions are made; DELETE ends that
//   POST   /api/reload                 reads the configuration again
//   POST   /api/stop                   the relay ends in order; ?ifQuiet=true: not while turns run
//   GET    /metrics                    Prometheus text
//
// Where tokens are in use, all but health, readiness and metrics want the role operator.
//
// Refusals are {"error": {...}} with the error object of the relay's other protocols. An export
// that cannot go on is cut off, so that nobody takes a part for the whole.
#pragma once

#include "base/async.hpp"
#include "base/live.hpp"
#include "base/log.hpp"
#include "http/access.hpp"
#include "http/server.hpp"
#include "management/agent_survey.hpp"
#include "management/drain.hpp"
#include "management/readiness.hpp"
#include "metrics/metrics.hpp"
#include "session/history_view.hpp"
#include "session/session_directory.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace relay::management {

// What came of reading the configuration again.
struct ReloadOutcome {
  std::vector<std::string> warnings;
  std::vector<std::string> problems;  // some: nothing was changed
  std::vector<std::string> changed;   // keys that are in force
  std::vector<std::string> need_restart;
};

// The references outlive the ManagementApi.
struct ManagementContext {
  SessionDirectory& sessions;
  storage::MessageLog& log;
  Metrics& metrics;
  Live<http::AccessRules> access = {};
  Live<std::string> config_json = std::string("{}");  // already without secrets
  std::string version = RELAY_VERSION;
  std::size_t max_message_bytes = 32u << 20;  // of one message of an import
  std::string isolation = {};                 // of the agents: "process" or "container"
  Live<std::string> agent_command = {};       // of the default one, without secrets
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  // What a session has used of upstreams, JSON text, where more is known than the log has; else an
  // empty text. May be empty.
  std::function<std::string(const SessionId&)> upstream_use = {};
  // Further reasons for /api/ready, e.g. "shutting_down"; may be empty.
  std::function<Task<std::vector<std::string>>()> extra_reasons = {};
  // Reads the configuration again.
  std::function<Task<ReloadOutcome>()> reload = {};
  // Asks the relay to end in order; returns at once.
  std::function<void()> stop = {};
  // On shutdown, those in containers, to the next run.
  Live<bool> leaves_sessions = false;
  std::chrono::milliseconds shutdown_timeout{0};
  Live<ReadinessLimits> readiness = {};
  Logger logger = Logger::silent();
};

// Outlives the exchanges that it handles.
class ManagementApi {
 public:
  explicit ManagementApi(ManagementContext context) : context_(std::move(context)) {}

  // What the head of a request decides by itself (http::ServerOptions::judge_head).
  http::HeadVerdict judge(const http::Request& head) const;

  Task<void> handle(http::Exchange& exchange);

 private:
  // Who asks. Or the answer to who may not, to what is asked of nobody, and to a preflight.
  tl::expected<http::Principal, http::Response> admit(const http::Request& head) const;
  // A session as it is known best: from the directory, otherwise from the log.
  struct Known {
    std::shared_ptr<Session> session;  // null: closed long ago
    storage::SessionRecord record;
    bool is_active() const { return session && session->state() != SessionState::kClosed; }
  };

  http::Response health() const;
  Task<ReadinessFacts> readiness(storage::LogStatus log);
  std::chrono::seconds uptime() const;
  Task<http::Response> ready();
  Task<http::Response> scrape();
  Task<http::Response> overview(std::vector<std::pair<std::string, std::string>> query);
  Task<http::Response> list(std::vector<std::pair<std::string, std::string>> query);
  Task<http::Response> audit(std::vector<std::pair<std::string, std::string>> query);
  Task<http::Response> show(std::string id);
  Task<http::Response> remove(std::string id, http::Principal principal);
  Task<http::Response> close(std::vector<std::pair<std::string, std::string>> query,
                             http::Principal principal);
  Task<http::Response> import(http::Request& request, http::Principal principal);
  DrainFacts drain_facts() const;
  http::Response drain(const std::string& method, const http::Principal& principal);
  Task<http::Response> reload(http::Principal principal);
  http::Response stop(const std::vector<std::pair<std::string, std::string>>& query,
                      const http::Principal& principal);
  Task<void> send_log(http::Exchange& exchange, std::string id, http::Principal principal);

  // `session`: null when it is closed.
  std::string view(const storage::SessionRecord& record, const Session* session,
                   TimeForm form) const;
  Task<Result<Known>> find(std::string id);
  http::Response refusal(const Error& error) const;
  http::Response conflict(const Error& error) const;

  ManagementContext context_;
  std::optional<WallTime> draining_since_;
  AgentSurvey survey_;
};

}  // namespace relay::management
