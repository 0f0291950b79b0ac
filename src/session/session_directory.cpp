#include "session/session_directory.hpp"

#include "base/as_result.hpp"
#include "protocol/relay_ids.hpp"
#include "session/agent_event.hpp"
#include "session/end_cause.hpp"
#include "session/unfinished.hpp"

#include <algorithm>
#include <set>

namespace relay {
namespace {

Error is_draining() {
  return make_error(ErrorType::kShuttingDown, "the relay is draining: it makes no new sessions")
      .because("an operator is about to stop or upgrade it")
      .suggest("try again when it is back; sessions that are open go on")
      .with("draining", true)
      .retryable();
}

Error home_is_not_kept() {
  return make_error(ErrorType::kMethodNotFound, "sessions of this agent can't be forked")
      .because("what it knows of them is in its home, which only its container has")
      .suggest("set container.home to keep");
}

}  // namespace

Error session_limit_reached(std::size_t limit) {
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
  unsigned program = 0;  // of the agent, see AgentProfiles
  std::optional<Error> failure;
  Event done;
};

SessionDirectory::SessionDirectory(SessionContext context, DirectoryOptions options,
                                   std::vector<AgentEntry> others)
    : agents_(std::move(context), std::move(others)),
      options_(options),
      scope_(context_.executor,
             [this](const std::string& task, std::exception_ptr) {
               context_.logger.error("a session ended unexpectedly", {{"task", task}});
             }),
      introductions_end_(context_.executor) {}

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
  const SessionContext* const agent = agents_.find(request.agent);
  if (agent == nullptr) co_return unknown_agent(request.agent, agents_);
  if (auto refused = forbidden_environment(*agent, request.environment)) co_return *refused;
  storage::SessionRecord record;
  record.id = new_session_id();
  record.owner = request.owner;
  record.agent = agent->name;
  record.isolation = to_string(agent->backend.isolation());
  record.created_at = wall_now();
  auto started = co_await start(*agent, std::move(record), std::move(request));
  co_return started;
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::fork(storage::SessionRecord parent,
                                                              NewSession request) {
  const SessionContext* const agent = agents_.find(parent.agent);
  if (agent == nullptr) co_return agent_is_gone(parent.agent);
  if (is_held(parent.id)) co_return being_imported(parent.id);
  if (auto refused = refuse_unfinished(parent)) co_return *refused;
  if (!agent->options.keeps_home) co_return home_is_not_kept();
  if (auto refused = forbidden_environment(*agent, request.environment)) co_return *refused;
  const auto live = find(parent.id);
  request.fork = ForkPoint{parent.id, parent.agent_session_id,
                           live ? live->last_sequence() : parent.last_sequence};
  if (request.working_directory.empty()) request.working_directory = parent.working_directory;
  storage::SessionRecord record;
  record.id = new_session_id();
  record.owner = request.owner;
  record.agent = agent->name;
  record.title = parent.title;
  record.isolation = to_string(agent->backend.isolation());
  record.created_at = wall_now();
  auto started = co_await start(*agent, std::move(record), std::move(request));
  co_return started;
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::reopen(SessionId id, NewSession request) {
  while (true) {
    if (is_held(id)) co_return being_imported(id);
    if (const auto under_way = starting_.find(id); under_way != starting_.end()) {
      const auto starting = under_way->second;
      co_await starting->done.wait();
      if (starting->failure) co_return *starting->failure;
      if (!starting->done.happened()) co_return shutting_down();  // who asked has left
    }
    if (const auto session = find(id)) {
      if (session->state() == SessionState::kReady) co_return session;
      co_await session->wait_closed();
    }
    if (const auto ending = ending_.find(id); ending != ending_.end()) {
      const auto ended = ending->second;
      co_await ended->wait();
      if (!ended->happened()) co_return shutting_down();  // who asked has left
      continue;
    }
    // Read behind the last message of its life before: numbering goes on from there.
    auto record = co_await context_.log.find(id);
    if (!record) co_return record.error();
    if (!*record) co_return session_not_found(id.value());
    // Somebody was faster.
    if (starting_.contains(id) || sessions_.contains(id)) continue;
    if (is_held(id) || ending_.contains(id)) continue;
    if (auto refused = refuse_unfinished(**record)) co_return *refused;
    if (request.is_restart && !ended_by_itself((*record)->cause)) {
      co_return stays_closed(**record, {});
    }
    const SessionContext* const agent = agents_.find((*record)->agent);
    if (agent == nullptr) co_return agent_is_gone((*record)->agent);
    (*record)->isolation = to_string(agent->backend.isolation());
    if (!(*record)->closed_at) (*record)->closed_at = wall_now();
    auto started = co_await start(*agent, std::move(**record), std::move(request));
    co_return started;
  }
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::start(const SessionContext& agent,
                                                               storage::SessionRecord record,
                                                               NewSession request) {
  if (const auto refused = makes_none()) co_return *refused;
  if (sessions_.size() + introductions_ >= options_.max_sessions) {
    co_return session_limit_reached(options_.max_sessions);
  }
  if (const auto failure = log_is_needed()) co_return *failure;
  const SessionId id = record.id;
  auto session = std::make_shared<Session>(agent, std::move(record));
  sessions_[id] = session;

  StartRequest to_do;
  to_do.launch.session = id;
  to_do.launch.working_directory = std::move(request.working_directory);
  to_do.launch.environment = std::move(request.environment);
  to_do.launch.needs_directories = request.is_restart;
  if (request.fork) to_do.launch.copy_of = request.fork->session;
  to_do.greeting = request.greeting ? std::move(*request.greeting)
                                    : Greeting{agent.options.client_capabilities, {}, {}};
  to_do.session_params = std::move(request.session_params);
  to_do.method = std::move(request.method);
  to_do.stored_request = std::move(request.stored_request);
  to_do.request_id = std::move(request.request_id);
  to_do.came = request.came;
  to_do.actor = std::move(request.actor);
  to_do.fork = std::move(request.fork);
  const auto starting = std::make_shared<Starting>(context_.executor, std::move(to_do));
  starting->program = profiles_.program(session->record().agent);
  starting_[id] = starting;
  scope_.spawn("session " + id.value(),
               [this, session, starting]() mutable { return live(session, std::move(starting)); });
  co_await starting->done.wait();
  if (!starting->done.happened()) {
    session->close(make_error(ErrorType::kSessionClosed, "the client left while the agent started"),
                   "abandoned");
    co_return shutting_down();
  }
  if (starting->failure) co_return *starting->failure;
  co_return session;
}

std::optional<Error> SessionDirectory::makes_none() const {
  if (stopping_) return shutting_down();
  if (draining_) return is_draining();
  return std::nullopt;
}

std::optional<Error> SessionDirectory::log_is_needed() const {
  if (!context_.options.durable_first) return std::nullopt;
  const storage::LogStatus status = context_.log.status();
  if (status.writable) return std::nullopt;
  return make_error(ErrorType::kInternalError,
                    "the message log can't be written: " + status.last_error)
      .because("database.durability is strict: nothing is done that the log does not have")
      .suggest("make room on the disk of database.path")
      .retryable();
}

void SessionDirectory::refuse_new() {
  stopping_ = true;
  for (const auto& [id, restarting] : restarting_) end_restart(id, shutting_down());
}

Task<void> SessionDirectory::live(std::shared_ptr<Session> session,
                                  std::shared_ptr<Starting> starting) {
  auto begin = as_result(session->start(std::move(starting->request)));
  const auto started = co_await std::move(begin);
  starting_.erase(session->id());
  if (!started) {
    starting->failure = started.error();
    forget(*session);
    starting->done.happen();
    co_return;
  }
  profiles_.learn(session->record().agent, starting->program, session->initialize_result());
  starting->done.happen();
  starting.reset();
  co_await session->run();
  forget(*session);
}

// Unless it goes on already.
void SessionDirectory::forget(const Session& session) {
  const auto found = sessions_.find(session.id());
  if (found != sessions_.end() && found->second.get() == &session) sessions_.erase(found);
}

void SessionDirectory::audit(SessionId session, std::string_view action,
                             const storage::Actor& actor, std::string detail) {
  context_.log.audit(
      {0, wall_now(), std::move(session), std::string(action), std::move(detail), actor});
}

Task<void> SessionDirectory::sweep() {
  constexpr std::chrono::milliseconds kLongest(5'000);
  while (true) {
    const bool is_on = options_.idle_timeout.count() > 0;
    const auto pause =
        std::clamp(options_.idle_timeout / 4, std::chrono::milliseconds(10), kLongest);
    const bool slept = co_await sleep_for(is_on ? pause : kLongest);
    if (!slept) co_return;
    if (options_.idle_timeout.count() == 0) continue;
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
  auto page = co_await context_.log.history(session, after, limit, max_bytes);
  const auto live = sessions_.find(session);
  if (page && live != sessions_.end()) live->second->leave_out_untold(*page);
  co_return page;
}

Task<Result<std::optional<storage::SessionRecord>>> SessionDirectory::find_record(
    SessionId session) {
  return context_.log.find(std::move(session));
}

Task<Result<SessionDirectory::SeenRequests>> SessionDirectory::seen_requests(
    std::shared_ptr<Session> session, std::vector<std::string> ids, storage::Sequence after) {
  SeenRequests seen;
  auto known = co_await context_.log.known_requests(session->id(), std::move(ids));
  if (!known) co_return known.error();
  seen.known = std::move(*known);
  std::set<std::string> unanswered;
  for (const std::string& id : seen.known) {
    if (!session->waits(id)) unanswered.insert(id);
  }
  while (!unanswered.empty() && after < session->last_sequence()) {
    const auto page =
        co_await context_.log.history(session->id(), after, kLogPageMessages, kLogPageBytes);
    if (!page) co_return page.error();
    for (const storage::MessageRecord& message : page->messages) {
      after = message.sequence;
      if (message.kind == storage::MessageKind::kResponse && message.to_client) {
        unanswered.erase(message.rpc_id);
      }
    }
    if (page->complete || page->messages.empty()) break;
  }
  for (const std::string& id : unanswered) {
    if (!session->waits(id)) seen.lost.push_back(id);
  }
  co_return seen;
}

Task<Result<storage::SessionPage>> SessionDirectory::list(storage::SessionQuery query) {
  return context_.log.list(std::move(query));
}

void SessionDirectory::count(Metrics& metrics) const {
  metrics.sessions = {};
  metrics.permission_waits = 0;
  metrics.oldest_permission_wait = {};
  const auto now = std::chrono::steady_clock::now();
  std::set<const Outbox*> outboxes;  // sessions of one connection share it
  for (const auto& [id, session] : sessions_) {
    auto& states = metrics.sessions[label_of(session->isolation())];
    session->collect_outboxes(outboxes);
    switch (session->state()) {
      case SessionState::kStarting:
        ++states[metrics::SessionState::kStarting];
        break;
      case SessionState::kReady:
        ++states[session->turn_running() ? metrics::SessionState::kTurn
                                         : metrics::SessionState::kReady];
        break;
      case SessionState::kClosing:
      case SessionState::kClosed:
        ++states[metrics::SessionState::kClosing];
        break;
    }
    metrics.permission_waits += static_cast<std::int64_t>(session->permission_waits());
    if (const auto asked = session->oldest_permission()) {
      metrics.oldest_permission_wait = std::max(metrics.oldest_permission_wait, now - *asked);
    }
  }
  metrics.waiting = {};
  for (const Outbox* const outbox : outboxes) {
    metrics.waiting.bytes += outbox->queued_bytes();
    metrics.waiting.frames += outbox->queued_frames();
    metrics.waiting.largest_bytes = std::max(metrics.waiting.largest_bytes, outbox->queued_bytes());
  }
}

void SessionDirectory::abandon_all() {
  for (const auto& [id, session] : sessions_) session->abandon();
}

Task<void> SessionDirectory::close_all() {
  refuse_new();
  introductions_end_.happen();
  for (const auto& session : all()) {
    // One that ended by itself may be gone on with by the next run.
    if (session->state() == SessionState::kClosed || session->is_ending()) continue;
    session->close(shutting_down(), "relay_shutdown");
  }
  for (const auto& session : all()) co_await session->wait_closed();
  co_await scope_.join();
}

}  // namespace relay
