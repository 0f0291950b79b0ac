// Sessions that are closed for good, live or not, and what is left of them.
#include "session/session_directory.hpp"
#include "session/unfinished.hpp"

#include <algorithm>
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

// An agent that is not configured any more leaves its sessions to one that runs in the same way.
Task<void> SessionDirectory::release(storage::SessionRecord session) {
  const auto runs_alike = [&session](const AgentEntry& agent) {
    return to_string(agent.backend.isolation()) == session.isolation;
  };
  const AgentEntry* agent = agents_.find(session.agent);
  if (agent == nullptr || !runs_alike(*agent)) {
    const auto& all = agents_.all();
    const auto other = std::find_if(all.begin(), all.end(), runs_alike);
    agent = other != all.end() ? &*other : nullptr;
  }
  if (agent != nullptr) co_await agent->backend.release(std::move(session.id));
}

Task<void> SessionDirectory::give_up(SessionId id, Error why, std::string cause) {
  auto left = co_await end_for_good(std::move(id), std::move(why), std::move(cause));
  if (left) co_await release(std::move(*left));
}

// What there was of a live one goes with it; of one that is closed it is left to be released.
Task<std::optional<storage::SessionRecord>> SessionDirectory::end_for_good(SessionId id, Error why,
                                                                           std::string cause) {
  end_restart(id, closed_meanwhile(id));
  const auto session = find(id);
  if (session) {
    session->close(std::move(why), cause);
    co_await session->wait_closed();
  }
  auto record = co_await context_.log.find(id);
  if (!record || !*record) co_return std::nullopt;
  storage::SessionRecord& closed = **record;
  const bool may_go_on = closed.closed_at && ended_by_itself(closed.cause);
  if (session && !may_go_on) co_return std::nullopt;
  if (may_go_on) {
    closed.cause = cause + ": " + closed.cause;
    context_.log.session_created(closed);
  }
  co_return std::move(closed);
}

Task<Result<void>> SessionDirectory::erase(SessionId id) {
  if (is_held(id)) co_return being_imported(id);
  Error why = make_error(ErrorType::kSessionClosed, "the session was deleted");
  auto left = co_await end_for_good(id, std::move(why), "deleted");
  auto erased = co_await context_.log.erase(id);
  if (erased && left) co_await release(std::move(*left));
  co_return erased;
}

}  // namespace relay
