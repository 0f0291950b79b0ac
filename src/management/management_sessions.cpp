// Sessions for operators: list, show, end, erase, export and import.
#include "http/cors.hpp"
#include "management/answer.hpp"
#include "management/management_api.hpp"
#include "management/routes.hpp"
#include "management/session_file.hpp"
#include "management/session_import.hpp"
#include "management/views.hpp"
#include "protocol/json_text.hpp"
#include "session/unfinished.hpp"

#include <algorithm>
#include <set>

namespace relay::management {
namespace {

constexpr std::size_t kExportPageMessages = 500;
constexpr std::size_t kExportPageBytes = 1u << 20;

std::string_view name_of(SessionState state) {
  switch (state) {
    case SessionState::kStarting:
      return "starting";
    case SessionState::kReady:
      return "ready";
    case SessionState::kClosing:
      return "closing";
    case SessionState::kClosed:
      break;
  }
  return "closed";
}

storage::SessionRecord record_of(const Session& session) {
  storage::SessionRecord record = session.record();
  record.last_sequence = std::max(record.last_sequence, session.last_sequence());
  return record;
}

std::string shown(const storage::SessionRecord& record, const Session* session, TimeForm form) {
  if (session == nullptr || session->state() == SessionState::kClosed) {
    return session_view(record, std::nullopt, form);
  }
  LiveFacts live;
  live.state = name_of(session->state());
  live.clients = session->client_count();
  live.turn_running = session->turn_running();
  live.runs_as = session->agent_description();
  return session_view(record_of(*session), live, form);
}

// RFC 8288.
std::string next_link(std::size_t limit, const std::string& cursor) {
  return "</api/sessions?limit=" + std::to_string(limit) + "&cursor=" + cursor + ">; rel=\"next\"";
}

constexpr const char* kOperator = "operator";

Error closed_by_the_operator() {
  return make_error(ErrorType::kSessionClosed, "the operator closed the session")
      .suggest("make another with session/new");
}

bool is_idle(const Session& session) {
  return session.state() == SessionState::kReady && session.client_count() == 0 &&
         !session.turn_running();
}

storage::AuditRecord audit_row(const SessionId& session, std::string_view action,
                               const http::Principal& principal) {
  return {0,       wall_now(),
          session, std::string(action),
          {},      {principal.name, "management", principal.peer}};
}

}  // namespace

Task<http::Response> ManagementApi::list(std::vector<std::pair<std::string, std::string>> query) {
  const auto wanted = read_list_query(query);
  if (!wanted) co_return refusal(wanted.error());
  // What the log does not know (starting sessions, or all of them without a log) heads the list.
  // Known before it is asked: one that is ready when it answers is not in its answer.
  const bool log_keeps_nothing = context_.log.instance_id().empty();
  std::vector<std::shared_ptr<Session>> unknown;
  if (wanted->sessions.cursor.empty()) unknown = context_.sessions.all();
  std::erase_if(unknown, [log_keeps_nothing](const auto& session) {
    return !log_keeps_nothing && session->state() != SessionState::kStarting;
  });
  const auto page = co_await context_.log.list(wanted->sessions);
  if (!page) co_return refusal(page.error());

  std::set<SessionId> listed;
  for (const storage::SessionRecord& record : page->sessions) listed.insert(record.id);
  std::vector<std::string> items;
  for (const auto& session : unknown) {
    const bool has_failed = !log_keeps_nothing && session->state() == SessionState::kClosed;
    if (!has_failed && !listed.contains(session->id())) {
      items.push_back(view(record_of(*session), session.get(), wanted->time_form()));
    }
  }
  for (const storage::SessionRecord& record : page->sessions) {
    const auto session = context_.sessions.find(record.id);
    items.push_back(view(record, session.get(), wanted->time_form()));
  }
  if (!wanted->as_array) co_return answer(200, page_view(items, page->next_cursor));
  http::Response response = answer(200, array_view(items));
  if (page->next_cursor) {
    response.headers.push_back({"Link", next_link(wanted->sessions.limit, *page->next_cursor)});
  }
  co_return response;
}

std::string ManagementApi::view(const storage::SessionRecord& record, const Session* session,
                                TimeForm form) const {
  std::string use;
  if (context_.upstream_use) use = context_.upstream_use(record.id);
  if (use.empty()) use = record.upstream_use;
  return with_use(shown(record, session, form), use);
}

Task<http::Response> ManagementApi::audit(std::vector<std::pair<std::string, std::string>> query) {
  auto wanted = read_audit_query(query);
  if (!wanted) co_return refusal(wanted.error());
  const auto page = co_await context_.log.audit_trail(std::move(*wanted));
  if (!page) co_return refusal(page.error());
  co_return answer(200, audit_view(*page));
}

Task<Result<ManagementApi::Known>> ManagementApi::find(std::string id) {
  Known known;
  known.session = context_.sessions.find(SessionId(id));
  if (known.session) {
    known.record = record_of(*known.session);
    co_return known;
  }
  const auto found = co_await context_.log.find(SessionId(id));
  if (!found) co_return found.error();
  if (!*found) co_return session_not_found(id);
  known.record = **found;
  co_return known;
}

Task<http::Response> ManagementApi::show(std::string id) {
  const auto known = co_await find(std::move(id));
  if (!known) co_return refusal(known.error());
  co_return answer(200, view(known->record, known->session.get(), TimeForm::kRfc3339));
}

Task<http::Response> ManagementApi::remove(std::string id, http::Principal principal) {
  if (context_.sessions.is_held(SessionId(id))) {
    co_return conflict(being_imported(SessionId(id)));
  }
  const auto known = co_await find(id);
  if (!known) co_return refusal(known.error());
  const bool closes = known->session != nullptr;
  context_.log.audit(audit_row(known->record.id, closes ? "closed" : "erased", principal));
  auto removing =
      closes ? context_.sessions.give_up(SessionId(id), closed_by_the_operator(), kOperator)
             : context_.sessions.erase(SessionId(id));
  const auto removed = co_await std::move(removing);
  if (!removed) {
    const char* const why = closes ? "not_closed" : "not_erased";
    context_.log.audit(audit_row(known->record.id, why, principal));
    co_return refusal(removed.error());
  }
  const char* const outcome = closes ? "closed" : "erased";
  context_.logger.info("session removed over the management API",
                       {{"session", id}, {"outcome", outcome}, {"principal", principal.name}});
  co_return answer(200, JsonObject().text("id", id).text("outcome", outcome).take());
}

Task<http::Response> ManagementApi::close(std::vector<std::pair<std::string, std::string>> query,
                                          http::Principal principal) {
  const auto only_idle = read_close_query(query);
  if (!only_idle) co_return refusal(only_idle.error());
  // Whatever is decided is decided at once; only then is anything waited for.
  std::vector<std::shared_ptr<Session>> closing = context_.sessions.all();
  std::erase_if(closing, [&](const auto& session) {
    return session->state() == SessionState::kClosed || session->was_left() ||
           (*only_idle && !is_idle(*session));
  });
  for (const auto& session : closing) {
    context_.log.audit(audit_row(session->id(), "closed", principal));
    session->close(closed_by_the_operator(), kOperator);
  }
  std::vector<std::string> ids;
  for (const auto& session : closing) {
    co_await session->wait_closed();
    ids.push_back(session->id().value());
  }
  context_.logger.info("sessions closed over the management API",
                       {{"sessions", ids.size()}, {"principal", principal.name}});
  co_return answer(200, closed_view(ids));
}

http::Response ManagementApi::conflict(const Error& error) const {
  http::Response response = refusal(error);
  response.status = 409;
  return response;
}

Task<http::Response> ManagementApi::import(http::Request& request, http::Principal principal) {
  const auto new_id = read_import_query(request.query);
  if (!new_id) co_return refusal(new_id.error());
  ImportOptions options;
  options.new_id = *new_id;
  options.max_line_bytes = context_.max_message_bytes + kMaxLineOverhead;
  // Until the import has ended, nobody else makes or erases a session with its id.
  std::optional<SessionId> claimed;
  const auto claim = [this, &claimed](const SessionId& id) {
    if (!context_.sessions.hold(id)) return false;
    claimed = id;
    return true;
  };
  struct Release {
    SessionDirectory& sessions;
    const std::optional<SessionId>& claimed;
    ~Release() {
      if (claimed) sessions.let_go(*claimed);
    }
  };
  const Release release{context_.sessions, claimed};
  ClaimId claiming = claim;
  std::string file = std::move(request.body);
  const auto imported =
      co_await import_session(context_.log, std::move(file), options, std::move(claiming));
  if (!imported) {
    const auto& state = imported.error().state;
    const bool exists = std::any_of(state.begin(), state.end(),
                                    [](const auto& known) { return known.first == "exists"; });
    co_return exists ? conflict(imported.error()) : refusal(imported.error());
  }
  context_.log.audit(audit_row(imported->id, "imported", principal));
  context_.logger.info("session imported", {{"session", imported->id.value()},
                                            {"messages", imported->messages},
                                            {"principal", principal.name}});
  co_return answer(200, JsonObject()
                            .text("id", imported->id.value())
                            .text("outcome", "imported")
                            .number("messages", imported->messages)
                            .number("lastSequence", imported->last_sequence)
                            .take());
}

Task<void> ManagementApi::send_log(http::Exchange& exchange, std::string id,
                                   http::Principal principal) {
  auto known = co_await find(std::move(id));
  // What clients have not been told the disk may not have. It is behind the end, and no gap.
  if (known && known->session) {
    storage::Sequence& last = known->record.last_sequence;
    last = known->session->leave_out_untold(last);
  }
  // The first page is read before the head is sent: its failure can still be told.
  Result<storage::HistoryPage> page = storage::HistoryPage{};
  if (known) {
    page =
        co_await context_.log.history(known->record.id, 0, kExportPageMessages, kExportPageBytes);
  }
  if (!known || !page) {
    http::Response response = refusal(known ? page.error() : known.error());
    http::add_cors_headers(exchange.request(), response);
    const auto sent = co_await exchange.respond(std::move(response));
    static_cast<void>(sent);
    co_return;
  }
  http::Response head = answer(200, "", "application/x-ndjson");
  http::add_cors_headers(exchange.request(), head);
  context_.log.audit(audit_row(known->record.id, "exported", principal));
  auto sent = co_await exchange.start_stream(std::move(head));
  std::string lines = export_head(known->record, known->is_active());
  // A live session may grow faster than it is read; the export ends where the log was when it
  // began.
  const storage::Sequence end = known->record.last_sequence;
  storage::Sequence after = 0;
  const auto cut_off = [&](std::string_view reason) {
    context_.logger.error("an export was cut off",
                          {{"session", known->record.id.value()}, {"reason", reason}});
  };
  while (sent) {
    lines += export_lines(*page, after, end);
    sent = co_await exchange.write(lines);
    if (!sent) co_return;
    if (page->complete || page->messages.empty()) break;
    after = page->messages.back().sequence;
    if (after >= end) break;
    lines.clear();
    page = co_await context_.log.history(known->record.id, after, kExportPageMessages,
                                         kExportPageBytes);
    if (!page) co_return cut_off(page.error().explanation);
  }
  if (!sent) co_return;
  const bool ends_early = page->messages.empty() || page->messages.back().sequence < end;
  // One that is open is there, with or without a log.
  if (ends_early && (after > 0 || !known->session)) {
    // A session that was deleted meanwhile looks like a gap up to its end.
    const auto found = co_await context_.log.find(known->record.id);
    if (!found) co_return cut_off(found.error().explanation);
    if (!*found) co_return cut_off("the session was deleted meanwhile");
  }
  sent = co_await exchange.finish();
}

}  // namespace relay::management
