// Sessions that are closed for good, live or not, and what is left of them.
#include "base/finally.hpp"
#include "session/end_cause.hpp"
#include "session/session_directory.hpp"
#include "session/unfinished.hpp"

#include <utility>

namespace relay {
namespace {

Error closed_meanwhile(const SessionId& id) {
  return make_error(ErrorType::kSessionClosed,
                    "the session was closed or deleted before another agent was there for it")
      .suggest("make another with session/new")
      .with("session_id", id.value());
}

}  // namespace

Task<void> SessionDirectory::release(storage::SessionRecord session) {
  const SessionContext* const agent = agents_.for_record(session);
  if (agent != nullptr) co_await agent->backend.release(std::move(session.id));
}

Task<Result<void>> SessionDirectory::give_up(SessionId id, Error why, std::string cause) {
  const auto ended =
      co_await end_for_good(std::move(id), std::move(why), std::move(cause), Record::kStays);
  co_return ended;
}

Task<Result<void>> SessionDirectory::erase(SessionId id) {
  Error why = make_error(ErrorType::kSessionClosed, "the session was deleted");
  const auto ended = co_await end_for_good(std::move(id), std::move(why), "deleted", Record::kGoes);
  co_return ended;
}

// What there was of a live one goes with it.
Task<Result<void>> SessionDirectory::end_for_good(SessionId id, Error why, std::string cause,
                                                  Record record) {
  bool was_live = false;
  while (true) {
    if (is_held(id)) co_return being_imported(id);
    if (const auto ending = ending_.find(id); ending != ending_.end()) {
      const auto ended = ending->second;
      co_await ended->wait();
      if (!ended->happened()) co_return shutting_down();  // who asked has left
      continue;
    }
    end_restart(id, closed_meanwhile(id));
    const auto session = find(id);
    if (!session) break;
    if (session->was_left()) co_return shutting_down();
    was_live = true;
    session->close(why, cause);
    co_await session->wait_closed();
  }
  const auto ended = std::make_shared<Event>(context_.executor);
  ending_[id] = ended;
  const Finally end([this, id, ended] {
    ending_.erase(id);
    ended->happen();
  });

  // Whoever asked the log before has its answer before this one, and waits then.
  auto found = co_await context_.log.find(id);
  if (!found && (record == Record::kGoes || !was_live)) co_return found.error();
  const bool is_known = found && *found;
  if (is_known && is_left(**found)) co_return shutting_down();
  const bool may_go_on = is_known && (*found)->closed_at && ended_by_itself((*found)->cause);
  if (may_go_on) {
    (*found)->cause = cause + ": " + (*found)->cause;
    context_.log.session_created(**found);
  }
  if (record == Record::kGoes) {
    auto erased = co_await context_.log.erase(id);
    if (!erased) co_return erased;
  }
  if (is_known && (may_go_on || !was_live)) co_await release(std::move(**found));
  co_return Result<void>();
}

}  // namespace relay
