#include "session/session_directory.hpp"

#include "protocol/relay_ids.hpp"

#include <algorithm>

namespace relay {
namespace {

Error limit_reached(std::size_t limit) {
  return make_error(ErrorType::kSessionLimitReached,
                    "all " + std::to_string(limit) + " sessions are in use")
      .because("sessions stay open until they are closed or idle for sessions.idle_timeout")
      .suggest("close one with session/close; session/list shows them")
      .suggest("raise agent.max_concurrent_sessions")
      .with("limit", static_cast<std::int64_t>(limit))
      .retryable();
}

Error shutting_down() {
  return make_error(ErrorType::kShuttingDown, "the relay is shutting down")
      .suggest("try again when it is back")
      .retryable();
}

}  // namespace

Error session_not_found(std::string_view id) {
  return make_error(ErrorType::kSessionNotFound, "no session " + std::string(id.substr(0, 100)))
      .because("the id is misspelled, or the session belongs to another principal")
      .suggest("list your sessions with session/list, or make one with session/new")
      .with("session_id", std::string(id.substr(0, 100)));
}

// What the one who asked for a session and its start share.
struct SessionDirectory::Starting {
  Starting(asio::any_io_executor executor, StartRequest to_do)
      : request(std::move(to_do)), done(std::move(executor)) {}

  StartRequest request;
  std::optional<Error> failure;
  Event done;
};

SessionDirectory::SessionDirectory(SessionContext context, DirectoryOptions options)
    : context_(std::move(context)),
      options_(options),
      scope_(context_.executor, [this](const std::string& task, std::exception_ptr) {
        context_.logger.error("a session ended unexpectedly", {{"task", task}});
      }) {}

std::shared_ptr<Session> SessionDirectory::find(const SessionId& id) const {
  const auto found = sessions_.find(id);
  return found != sessions_.end() ? found->second : nullptr;
}

std::vector<std::shared_ptr<Session>> SessionDirectory::all() const {
  std::vector<std::shared_ptr<Session>> list;
  list.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) list.push_back(session);
  return list;
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::create(NewSession request) {
  if (stopping_) co_return shutting_down();
  if (sessions_.size() >= options_.max_sessions) co_return limit_reached(options_.max_sessions);

  storage::SessionRecord record;
  record.id = new_session_id();
  record.owner = request.owner;
  record.isolation = to_string(context_.backend.isolation());
  record.created_at = wall_now();
  auto session = std::make_shared<Session>(context_, record);
  sessions_.emplace(record.id, session);

  StartRequest start;
  start.launch.session = record.id;
  start.launch.working_directory = std::move(request.working_directory);
  start.launch.environment = std::move(request.environment);
  start.mcp_servers = std::move(request.mcp_servers);
  start.stored_request = std::move(request.stored_request);
  start.request_id = std::move(request.request_id);
  const auto starting = std::make_shared<Starting>(context_.executor, std::move(start));
  scope_.spawn("session " + record.id.value(),
               [this, session, starting] { return live(session, starting); });
  co_await starting->done.wait();
  if (!starting->done.happened()) {
    session->close(make_error(ErrorType::kSessionClosed, "the client left while the agent started"),
                   "abandoned");
    co_return shutting_down();
  }
  if (starting->failure) co_return *starting->failure;
  co_return session;
}

Task<void> SessionDirectory::live(std::shared_ptr<Session> session,
                                  std::shared_ptr<Starting> starting) {
  const auto started = co_await session->start(std::move(starting->request));
  if (!started) {
    starting->failure = started.error();
    sessions_.erase(session->id());
    starting->done.happen();
    co_return;
  }
  starting->done.happen();
  co_await session->run();
  sessions_.erase(session->id());
}

Task<void> SessionDirectory::sweep() {
  if (options_.idle_timeout.count() == 0) co_return;
  const auto pause = std::clamp(options_.idle_timeout / 4, std::chrono::milliseconds(10),
                                std::chrono::milliseconds(5'000));
  while (true) {
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& session : all()) {
      const auto since = session->idle_since();
      if (!since || now - *since < options_.idle_timeout) continue;
      session->close(make_error(ErrorType::kSessionClosed, "nobody used the session")
                         .suggest("make another with session/new")
                         .suggest("raise sessions.idle_timeout"),
                     "idle");
    }
  }
}

Task<Result<storage::HistoryPage>> SessionDirectory::history(SessionId session,
                                                             storage::Sequence after,
                                                             std::size_t limit,
                                                             std::size_t max_bytes) {
  return context_.log.history(std::move(session), after, limit, max_bytes);
}

Task<Result<std::optional<storage::SessionRecord>>> SessionDirectory::find_record(
    SessionId session) {
  return context_.log.find(std::move(session));
}

Task<Result<storage::SessionPage>> SessionDirectory::list(storage::SessionQuery query) {
  return context_.log.list(std::move(query));
}

void SessionDirectory::count(Metrics& metrics) const {
  metrics.sessions = {};
  metrics.permission_waits = 0;
  for (const auto& [id, session] : sessions_) {
    switch (session->state()) {
      case SessionState::kStarting:
        ++metrics.sessions[metrics::SessionState::kStarting];
        break;
      case SessionState::kReady:
        ++metrics.sessions[session->turn_running() ? metrics::SessionState::kTurn
                                                   : metrics::SessionState::kReady];
        break;
      case SessionState::kClosing:
      case SessionState::kClosed:
        ++metrics.sessions[metrics::SessionState::kClosing];
        break;
    }
    metrics.permission_waits += static_cast<std::int64_t>(session->permission_waits());
  }
}

void SessionDirectory::abandon_all() {
  for (const auto& [id, session] : sessions_) session->abandon();
}

Task<void> SessionDirectory::close_all() {
  refuse_new();
  for (const auto& session : all()) session->close(shutting_down(), "relay_shutdown");
  for (const auto& session : all()) co_await session->wait_closed();
  co_await scope_.join();
}

}  // namespace relay
