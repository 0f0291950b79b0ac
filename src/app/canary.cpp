#include "app/canary.hpp"

#include "session/agent_failure.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay::app {
namespace {

constexpr std::string_view kOwner = "acp-relay canary";

}  // namespace

std::optional<bool> canary_failed(const Error& error) {
  // The directory is one that the relay has chosen, and so is what the agent is asked.
  if (is_failed_start(error) || error.type == ErrorType::kWorkspaceUnavailable) return true;
  if (error.agent_error.empty()) return std::nullopt;
  return !wants_a_login(error.agent_error);
}

Task<void> Canary::run() {
  while (!cancelled_) {
    const bool due = co_await is_due();
    if (due) co_await try_once();
  }
}

// False as well when the interval has changed: it is to be waited for anew.
Task<bool> Canary::is_due() {
  using namespace boost::asio::experimental::awaitable_operators;
  if (interval_.count() == 0) {
    const bool changed = co_await changed_.wait();
    cancelled_ = !changed;
    co_return false;
  }
  auto changed = changed_.wait();
  auto clock = sleep_for(interval_);
  const auto first = co_await (std::move(changed) || std::move(clock));
  if (first.index() == 0) {
    cancelled_ = !std::get<0>(first);
    co_return false;
  }
  cancelled_ = !std::get<1>(first);
  co_return !cancelled_;
}

void Canary::change(std::chrono::milliseconds interval) {
  if (interval == interval_) return;
  interval_ = interval;
  if (interval.count() == 0) failed_ = false;
  changed_.notify();
}

Task<void> Canary::try_once() {
  NewSession request;
  request.owner = kOwner;
  request.stored_request = SharedBytes(std::string("{}"));
  const auto made = co_await sessions_.create(std::move(request));
  if (!made) {
    const bool fails = canary_failed(made.error()).value_or(failed_);
    if (fails && !failed_) {
      log_.error("the canary session did not start", {{"why", made.error().explanation}});
    }
    if (!fails && failed_) log_.info("the agent of the canary session answers again");
    failed_ = fails;
    co_return;
  }
  if (failed_) log_.info("the canary session starts again");
  failed_ = false;
  const auto erased = co_await sessions_.erase((*made)->id());
  if (!erased) log_.warn("a canary session is left", {{"error", erased.error().explanation}});
}

}  // namespace relay::app
