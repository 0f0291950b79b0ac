// Deletes, a few milliseconds' worth at a time, what the log keeps no longer: messages, sessions
// without any, rows of the audit trail; and takes off the disk what was deleted.
//
// On the storage thread; the counts are for any thread.
#pragma once

#include "base/log.hpp"
#include "storage/message_store.hpp"
#include "storage/retention.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace relay::storage {

class Housekeeping {
 public:
  using Clock = std::chrono::steady_clock;

  Housekeeping(const LogLimits& limits, HasMore has_more, Logger log);

  // Everything is looked at by these, from the beginning.
  void take(const LogLimits& limits);
  // Sessions were closed: messages of theirs may go.
  void look_soon() { retain_at_ = {}; }
  // When something is to be done next, not later than `latest`.
  Clock::time_point next_turn(const MessageStore& store, Clock::time_point latest) const;
  // Does a step of all that is due.
  void work(MessageStore& store);

  std::uint64_t deleted_messages() const { return deleted_messages_; }
  std::uint64_t forgotten_sessions() const { return forgotten_sessions_; }

 private:
  void retain(MessageStore& store);
  void forget_audit(MessageStore& store);
  void erase_unused(MessageStore& store);

  const HasMore has_more_;
  const Logger log_;
  LogLimits limits_;
  Clock::time_point retain_at_{};
  std::int64_t retain_place_ = 0;
  bool forgetting_ = true;  // sessions; then messages
  bool was_too_large_ = false;
  Clock::time_point forget_at_{};
  Clock::time_point forget_audit_at_{};
  Clock::time_point erase_at_{};
  bool erasing_fails_ = false;
  std::atomic<std::uint64_t> deleted_messages_{0};
  std::atomic<std::uint64_t> forgotten_sessions_{0};
};

}  // namespace relay::storage
