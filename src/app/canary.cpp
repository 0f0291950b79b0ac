#include "app/canary.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay::app {
namespace {

constexpr std::string_view kOwner = "acp-relay canary";

}  // namespace

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
    // Who ends a session, and a limit that others have reached, say nothing of the agent.
    if (!is_service_failure(made.error().type)) co_return;
    if (!failed_)
      log_.error("the canary session did not start", {{"why", made.error().explanation}});
    failed_ = true;
    co_return;
  }
  if (failed_) log_.info("the canary session starts again");
  failed_ = false;
  const auto erased = co_await sessions_.erase((*made)->id());
  if (!erased) log_.warn("a canary session is left", {{"error", erased.error().explanation}});
}

}  // namespace relay::app
