#include "session/fork.hpp"

#include "protocol/relay_ids.hpp"
#include "session/session_directory.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace relay {
namespace {

Error not_copied(const storage::LogStatus& status) {
  return make_error(ErrorType::kInternalError, "the log can't be written: nothing was forked")
      .because(status.last_error.empty() ? "messages had to be given up" : status.last_error)
      .suggest("see /api/ready, make room on the disk of database.path, and fork again")
      .retryable();
}

Error deleted_meanwhile(const SessionId& parent) {
  return session_not_found(parent.value()).because("it was deleted while its messages were copied");
}

// Nobody waits for an answer in the copy: whoever asked did so in the other session.
storage::MessageRecord copy_of(storage::MessageRecord message, const SessionId& from,
                               const SessionId& to) {
  message.body = SharedBytes(for_session(message.body.view(), from.value(), to.value()));
  message.call = 0;
  message.peer_id.clear();
  return message;
}

}  // namespace

Task<Result<void>> copy_messages(const SessionContext& context, ForkPoint from, SessionId to) {
  storage::MessageLog& log = context.log;
  const std::uint64_t lost = log.status().lost_messages;
  const auto failure = [&log, lost]() -> std::optional<Error> {
    const storage::LogStatus status = log.status();
    if (status.writable && status.lost_messages == lost) return std::nullopt;
    return not_copied(status);
  };
  storage::Sequence cursor = 0;
  storage::Sequence told = 0;  // up to here the copy has messages, or says that there are none
  while (cursor < from.until) {
    auto page = co_await log.history(from.session, cursor, kLogPageMessages, kLogPageBytes);
    if (!page) co_return page.error();
    for (const storage::Gap& gap : page->gaps) {
      if (gap.from > from.until) continue;
      told = std::max(told, std::min(gap.to, from.until));
      log.gap(to, {gap.from, std::min(gap.to, from.until)});
    }
    std::erase_if(page->messages, [&](const auto& one) { return one.sequence > from.until; });
    const bool ended = page->complete || page->messages.empty();
    if (!page->messages.empty()) cursor = page->messages.back().sequence;
    told = std::max(told, cursor);
    for (storage::MessageRecord& message : page->messages) {
      message = copy_of(std::move(message), from.session, to);
    }
    log.record(to, page->messages, {});
    const auto has_failed = [&failure] { return failure().has_value(); };
    co_await log_room(context, has_failed);
    if (const auto failed = failure()) co_return *failed;
    if (ended) break;
  }
  if (told < from.until) {
    const auto parent = co_await log.find(from.session);
    if (!parent) co_return parent.error();
    if (!*parent) co_return deleted_meanwhile(from.session);
    log.gap(to, {told + 1, from.until});
    if (const auto failed = failure()) co_return *failed;
  }
  co_return Result<void>();
}

}  // namespace relay
