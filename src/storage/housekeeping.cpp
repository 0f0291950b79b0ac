#include "storage/housekeeping.hpp"

#include "base/time.hpp"

#include <algorithm>
#include <utility>

namespace relay::storage {
namespace {

using namespace std::chrono_literals;

// Between two looks at what may be deleted, and between the steps of one.
constexpr auto kRetentionPeriod = 2s;
constexpr auto kRetentionStepPause = 5ms;
// Between two looks at all closed sessions, while the log is not too large.
constexpr auto kForgetPeriod = 60s;

}  // namespace

Housekeeping::Housekeeping(const LogLimits& limits, HasMore has_more, Logger log)
    : has_more_(std::move(has_more)), log_(std::move(log)), limits_(limits) {}

void Housekeeping::take(const LogLimits& limits) {
  limits_ = limits;
  retain_place_ = 0;
  forgetting_ = true;
  was_too_large_ = false;
  retain_at_ = {};
  forget_audit_at_ = {};
}

Housekeeping::Clock::time_point Housekeeping::next_turn(const MessageStore& store,
                                                        Clock::time_point latest) const {
  auto turn = latest;
  if (limits_.messages.any()) turn = std::min(turn, retain_at_);
  if (limits_.audit.any()) turn = std::min(turn, forget_audit_at_);
  if (store.has_unused()) turn = std::min(turn, erase_at_);
  return turn;
}

void Housekeeping::work(MessageStore& store) {
  retain(store);
  forget_audit(store);
  erase_unused(store);
}

void Housekeeping::retain(MessageStore& store) {
  if (!limits_.messages.any() || Clock::now() < retain_at_) return;
  const bool too_large = limits_.messages.bytes > 0 && store.size().bytes > limits_.messages.bytes;
  if (too_large && !was_too_large_) {
    // Sessions that could stay until now go first, the oldest before others.
    forgetting_ = true;
    retain_place_ = 0;
  }
  was_too_large_ = too_large;
  const auto step = forgetting_
                        ? store.forget_empty(limits_.messages, wall_now(), retain_place_, has_more_)
                        : store.retain(limits_.messages, wall_now(), retain_place_);
  if (!step) {
    // Deleting may fail where nothing is broken (a full disk has its own report); it comes round
    // again.
    log_.debug("old messages could not be deleted", {{"reason", step.error().explanation}});
  }
  if (step) {
    (forgetting_ ? forgotten_sessions_ : deleted_messages_) +=
        static_cast<std::uint64_t>(step->deleted);
  }
  const bool done = !step || step->done;
  retain_place_ = done ? 0 : step->place;
  retain_at_ = Clock::now();
  if (done && !forgetting_) {
    forgetting_ = too_large || Clock::now() >= forget_at_;
    retain_at_ += kRetentionPeriod;
    return;
  }
  if (done) {
    // Messages go when there are no sessions left that could go instead.
    forgetting_ = false;
    forget_at_ = Clock::now() + kForgetPeriod;
  }
  retain_at_ += kRetentionStepPause;
}

void Housekeeping::forget_audit(MessageStore& store) {
  if (!limits_.audit.any() || Clock::now() < forget_audit_at_) return;
  const auto done = store.forget_audit(limits_.audit, wall_now());
  if (!done) {
    log_.debug("the audit trail could not be shortened", {{"reason", done.error().explanation}});
  }
  forget_audit_at_ = Clock::now() + (!done || *done ? kForgetPeriod : kRetentionStepPause);
}

void Housekeeping::erase_unused(MessageStore& store) {
  if (!store.has_unused() || Clock::now() < erase_at_) return;
  const auto more = store.erase_unused();
  erase_at_ = Clock::now() + (more ? kRetentionStepPause : kRetentionPeriod);
  if (!more && !erasing_fails_) {
    log_.warn("what was deleted can't be taken off the disk yet, it is tried again",
              {{"reason", more.error().explanation}});
  }
  // While there are more, it is not known of those that failed.
  if (!more || !*more) erasing_fails_ = !more;
}

}  // namespace relay::storage
