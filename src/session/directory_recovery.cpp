// SessionDirectory between two runs of the relay: taking sessions up, and leaving them.
#include "base/as_result.hpp"
#include "session/session_directory.hpp"
#include "session/unfinished.hpp"

#include <memory>
#include <utility>

namespace relay {

// How many sessions are being taken up or left, and what is told when that number falls.
struct SessionDirectory::Recovery {
  explicit Recovery(asio::any_io_executor executor) : done(std::move(executor)) {}

  std::size_t under_way = 0;
  std::size_t gone_on = 0;
  Wakeup done;
};

Task<void> SessionDirectory::recover() {
  constexpr std::size_t kAtOnce = 16;
  const auto recovery = std::make_shared<Recovery>(context_.executor);
  storage::SessionQuery query;
  query.only_active = true;
  std::size_t found = 0;
  while (true) {
    auto page = co_await context_.log.list(query);
    if (!page) {
      context_.logger.error("sessions of an earlier run can't be read",
                            {{"reason", page.error().explanation}});
      break;
    }
    for (const storage::SessionRecord& listed : page->sessions) {
      while (recovery->under_way >= kAtOnce) co_await recovery->done.wait();
      // A list leaves out what the agent said of itself.
      auto record = co_await context_.log.find(listed.id);
      if (!record) {
        context_.logger.error(
            "a session of an earlier run can't be read",
            {{"session", listed.id.value()}, {"reason", record.error().explanation}});
      }
      if (!record || !*record) continue;
      ++found;
      ++recovery->under_way;
      scope_.spawn("recover session", [this, record = std::move(**record), recovery] {
        return record.cause == kUnfinishedFork ? erase_unfinished(record, recovery)
                                               : revive(record, recovery);
      });
    }
    if (!page->next_cursor) break;
    query.cursor = *page->next_cursor;
  }
  while (recovery->under_way > 0) co_await recovery->done.wait();
  if (found > 0) {
    context_.logger.info("sessions of an earlier run",
                         {{"gone_on", recovery->gone_on}, {"closed", found - recovery->gone_on}});
  }
}

// Nobody was told of it. It stays open until all of it is gone: the next run tries again.
Task<void> SessionDirectory::erase_unfinished(storage::SessionRecord record,
                                              std::shared_ptr<Recovery> recovery) {
  auto erasing = as_result(erase(record.id));
  const auto erased = co_await std::move(erasing);
  if (!erased) {
    context_.logger.warn("a part of a fork is left",
                         {{"session", record.id.value()}, {"error", erased.error().explanation}});
  }
  --recovery->under_way;
  recovery->done.notify();
}

// `alike` is where the agent runs that a refusal ends; null: nowhere.
Task<Result<void>> SessionDirectory::take_up(std::shared_ptr<Session> session,
                                             const SessionContext* alike,
                                             std::optional<Error> refusal) {
  if (refusal && alike != nullptr) co_await alike->backend.end_unwanted(session->id());
  const auto recovered = co_await session->recover(std::move(refusal));
  co_return recovered;
}

Task<void> SessionDirectory::revive(storage::SessionRecord record,
                                    std::shared_ptr<Recovery> recovery) {
  const SessionId id = record.id;
  std::optional<Error> refusal = stays_behind(record, agents_);
  const SessionContext* const own = agents_.find(record.agent);
  const SessionContext* const alike = agents_.for_record(record);
  auto session =
      std::make_shared<Session>(own != nullptr ? *own : agents_.standard(), std::move(record));
  sessions_[id] = session;
  auto recovering = as_result(take_up(session, alike, std::move(refusal)));
  const auto recovered = co_await std::move(recovering);
  if (recovered) ++recovery->gone_on;
  if (!recovered && !session->record().closed_at) {  // it was thrown
    context_.logger.error("a session of an earlier run can't be gone on with",
                          {{"session", id.value()}, {"reason", recovered.error().explanation}});
    context_.log.session_closed(id, "relay_restarted: " + recovered.error().explanation,
                                wall_now());
  }
  --recovery->under_way;
  recovery->done.notify();
  if (recovered) {
    const std::string& profile = session->initialize_result();
    if (!profile.empty()) profiles_.learn_of_before(session->record().agent, profile);
    co_await session->run();
  }
  forget(*session);
}

Task<void> SessionDirectory::leave_all() {
  refuse_new();
  const auto leaving = std::make_shared<Recovery>(context_.executor);
  for (const auto& session : all()) {
    ++leaving->under_way;
    scope_.spawn("leave session", [session, leaving] { return leave(session, leaving); });
  }
  while (leaving->under_way > 0) co_await leaving->done.wait();
  co_await close_all();
}

bool SessionDirectory::is_left(const storage::SessionRecord& record) const {
  const bool is_open = !record.closed_at && record.cause.empty();
  if (!stopping_ || !is_open) return false;
  const auto session = find(record.id);
  return !session || session->was_left();
}

// Each waits for its agent to read what clients have said.
Task<void> SessionDirectory::leave(std::shared_ptr<Session> session,
                                   std::shared_ptr<Recovery> leaving) {
  co_await session->leave();
  --leaving->under_way;
  leaving->done.notify();
}

}  // namespace relay
