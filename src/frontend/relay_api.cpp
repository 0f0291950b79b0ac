#include "frontend/relay_api.hpp"

#include "frontend/session_facts.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/secrets.hpp"
#include "protocol/trace_context.hpp"
#include "session/history_view.hpp"

#include <algorithm>

namespace relay::frontend {
namespace {

constexpr std::size_t kHistoryBytes = 8u << 20;

Error session_closed(const storage::SessionRecord& record) {
  return make_error(ErrorType::kSessionClosed,
                    "the session is closed" + (record.cause.empty() ? "" : ": " + record.cause))
      .suggest(
          "make it go on with session/load (at /acp), read it with session/history, or make "
          "another with session/new")
      .with("session_id", record.id.value())
      .with("cause", record.cause);
}

template <class Items, class Write>
std::string json_list(const Items& items, const Write& write) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += write(item);
  }
  out += ']';
  return out;
}

}  // namespace

Error forbidden_for_observers(std::string_view method) {
  return make_error(ErrorType::kForbidden, "an observer may not call " + std::string(method))
      .suggest("use a token with role user (auth.tokens[].role)")
      .with("method", std::string(method));
}

Error too_many_calls(std::size_t limit) {
  return make_error(ErrorType::kInvalidRequest,
                    "more than " + std::to_string(limit) +
                        " requests to the relay are running, or they are too large together")
      .suggest("wait for their answers, or raise server.max_outbox_bytes")
      .retryable();
}

storage::Actor actor_of(const http::Principal& principal) {
  return {principal.name, std::string(principal.transport), principal.peer};
}

RelayApi::RelayApi(SessionDirectory& sessions, ApiOptions options)
    : sessions_(sessions), options_(std::move(options)) {}

bool RelayApi::may_use(const http::Principal& principal,
                       const storage::SessionRecord& record) const {
  return options_.shared_sessions || principal.role == http::Role::kOperator ||
         record.owner == principal.name;
}

Task<Result<std::shared_ptr<Session>>> RelayApi::create(http::Principal principal,
                                                        const Frame& request) {
  if (request.method() == "session/fork") {
    auto wanted = read_fork(request.params());
    if (!wanted) co_return wanted.error();
    auto forked = co_await fork(std::move(principal), std::move(*wanted), request);
    co_return forked;
  }
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/new");
  auto wanted = read_new_session(request.params());
  if (!wanted) co_return wanted.error();
  wanted->owner = principal.name;
  wanted->actor = actor_of(principal);
  wanted->request_id = request.id();
  wanted->stored_request = SharedBytes(without_request_secrets("session/new", request.bytes()));
  auto created = co_await sessions_.create(std::move(*wanted));
  co_return created;
}

Task<Result<std::shared_ptr<Session>>> RelayApi::fork(http::Principal principal, ForkRequest wanted,
                                                      const Frame& request) {
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/fork");
  NewSession& session = wanted.session;
  session.owner = principal.name;
  session.actor = actor_of(principal);
  session.method = request.method();
  session.request_id = request.id();
  session.stored_request = SharedBytes(without_request_secrets(session.method, request.bytes()));
  auto parent = co_await find_record(std::move(principal), std::move(wanted.session_id));
  if (!parent) co_return parent.error();
  // The login of another agent is not for this one.
  if (session.greeting && parent->agent != session.agent) session.greeting->authenticate.clear();
  auto forked = co_await sessions_.fork(std::move(*parent), std::move(session));
  co_return forked;
}

void RelayApi::undo(Session& session) {
  session.close(make_error(ErrorType::kSessionClosed, "nobody learned of the session"), "closed");
}

std::shared_ptr<Session> RelayApi::find_live(const http::Principal& principal,
                                             std::string_view id) const {
  auto session = sessions_.find(SessionId(std::string(id)));
  return session && session->state() == SessionState::kReady &&
                 may_use(principal, session->record())
             ? session
             : nullptr;
}

Task<Result<std::shared_ptr<Session>>> RelayApi::find(http::Principal principal, std::string id) {
  id.resize(owning_session(id).size());
  auto live = find_live(principal, id);
  if (live) co_return live;
  const auto record = co_await find_record(principal, id);
  if (!record) co_return record.error();
  if (sessions_.is_restarting(record->id)) {
    co_await sessions_.restarted(record->id);
    live = find_live(principal, id);
    if (live) co_return live;
  }
  if (sessions_.is_left(*record)) co_return shutting_down();
  co_return session_closed(*record);
}

Task<Result<std::shared_ptr<Session>>> RelayApi::find_for_prompt(http::Principal principal,
                                                                 std::string id,
                                                                 const Frame& prompt) {
  id.resize(owning_session(id).size());
  auto live = find_live(principal, id);
  if (live && !live->is_ending()) co_return live;
  if (live) co_await live->wait_closed();  // another agent may answer
  auto record = co_await find_record(std::move(principal), std::move(id));
  if (!record) co_return record.error();
  auto restarted = co_await sessions_.restart(std::move(*record), trace_members(prompt.params()));
  co_return restarted;
}

Task<Result<storage::SessionRecord>> RelayApi::find_record(http::Principal principal,
                                                           std::string id) {
  if (!is_relay_session_id(id)) co_return session_not_found(id);
  const auto session = sessions_.find(SessionId(id));
  if (session && session->state() != SessionState::kStarting) {
    if (!may_use(principal, session->record())) co_return session_not_found(id);
    storage::SessionRecord record = session->record();
    record.last_sequence = std::max(record.last_sequence, session->last_sequence());
    co_return record;
  }
  auto found = co_await sessions_.find_record(SessionId(id));
  if (!found) co_return found.error();
  if (!*found || !may_use(principal, **found)) co_return session_not_found(id);
  co_return **found;
}

Task<Result<storage::SessionPage>> RelayApi::page(http::Principal principal,
                                                  storage::SessionQuery query) {
  if (!options_.shared_sessions && principal.role != http::Role::kOperator) {
    query.owner = principal.name;
  }
  auto page = co_await sessions_.list(std::move(query));
  co_return page;
}

Task<Result<std::string>> RelayApi::list(http::Principal principal, std::string params) {
  const auto request = read_list(params);
  if (!request) co_return request.error();
  storage::SessionQuery query;
  query.cursor = request->cursor;
  query.limit = request->limit;
  query.only_active = request->only_active;
  const auto page = co_await this->page(std::move(principal), std::move(query));
  if (!page) co_return page.error();
  JsonObject result;
  result.raw("sessions", json_list(page->sessions, [](const storage::SessionRecord& record) {
               return session_item(record, !record.closed_at);
             }));
  if (page->next_cursor) result.text("nextCursor", *page->next_cursor);
  co_return result.take();
}

Task<Result<std::string>> RelayApi::history(http::Principal principal, std::string params) {
  const auto request = read_history(params);
  if (!request) co_return request.error();
  const auto record = co_await find_record(std::move(principal), request->session_id);
  if (!record) co_return record.error();
  auto page = co_await sessions_.history(record->id, request->after, request->limit, kHistoryBytes);
  if (!page) co_return page.error();
  if (request->after > record->last_sequence) {
    page->gaps.push_back({record->last_sequence + 1, request->after});
  }
  JsonObject result;
  result.text("sessionId", record->id.value())
      .raw("messages", json_list(page->messages, history_item));
  result.raw("gaps", json_list(page->gaps, [](const storage::Gap& gap) {
               return JsonObject().number("from", gap.from).number("to", gap.to).take();
             }));
  result.boolean("hasMore", !page->complete);
  if (!page->complete && !page->messages.empty()) {
    result.number("nextAfter", page->messages.back().sequence);
  }
  co_return result.take();
}

Task<Result<std::string>> RelayApi::close(http::Principal principal, std::string params) {
  const auto request = read_resume(params);
  if (!request) co_return request.error();
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/close");
  const storage::Actor actor = actor_of(principal);
  const auto record = co_await find_record(std::move(principal), request->session_id);
  if (!record) co_return record.error();
  if (sessions_.is_left(*record)) co_return shutting_down();
  const auto session = sessions_.find(record->id);
  sessions_.audit(record->id, session ? "closed" : "released", actor);
  Error why = make_error(ErrorType::kSessionClosed, "a client closed the session")
                  .suggest("make another with session/new");
  const auto closed = co_await sessions_.give_up(record->id, std::move(why), "closed");
  if (!closed) {
    sessions_.audit(record->id, "not_closed", actor);
    co_return closed.error();
  }
  co_return std::string("{}");
}

Task<Result<std::string>> RelayApi::erase(http::Principal principal, std::string params) {
  const auto request = read_resume(params);
  if (!request) co_return request.error();
  if (principal.role == http::Role::kObserver) co_return forbidden_for_observers("session/delete");
  const storage::Actor actor = actor_of(principal);
  const auto record = co_await find_record(std::move(principal), request->session_id);
  if (!record) {
    if (record.error().type != ErrorType::kSessionNotFound) co_return record.error();
    co_return std::string("{}");
  }
  if (sessions_.is_left(*record)) co_return shutting_down();
  // Before it is done: a relay that is killed in between has said who wanted it.
  sessions_.audit(record->id, "erased", actor);
  const auto erased = co_await sessions_.erase(record->id);
  if (!erased && erased.error().type != ErrorType::kSessionNotFound) {
    sessions_.audit(record->id, "not_erased", actor);
    co_return erased.error();
  }
  co_return std::string("{}");
}

std::string RelayApi::describe(const Session& session, ClientId client) {
  const storage::SessionRecord& record = session.record();
  JsonObject known;
  if (client != ClientId()) {
    known.text("clientId", "client_" + std::to_string(client.value()));
  }
  if (!record.agent.empty()) known.text("agent", record.agent);
  known.text("cwd", record.working_directory)
      .text("workingDirectory", record.working_directory)
      .text("isolation", record.isolation);
  if (!record.image.empty()) known.text("image", record.image).text("imageId", record.image_id);
  if (!session.network().empty()) known.text("network", session.network());
  if (const std::string egress = egress_of(session); !egress.empty()) known.raw("egress", egress);
  known.number("lastSequence", session.last_sequence())
      .text("events", "/session/" + record.id.value() + "/events");
  const std::string& result = session.current_result();
  if (!object_member(result, "sessionId")) known.text("sessionId", record.id.value());
  std::string out = known.take();
  const bool says_something = result.starts_with('{') && result.find('"') != std::string::npos;
  if (!says_something) return out;
  out.back() = ',';
  return out + result.substr(1);
}

}  // namespace relay::frontend
