#include "app/canary.hpp"

namespace relay::app {
namespace {

constexpr std::string_view kOwner = "acp-relay canary";

}  // namespace

Task<void> Canary::run(std::chrono::milliseconds interval) {
  while (true) {
    const bool slept = co_await sleep_for(interval);
    if (!slept) co_return;
    co_await try_once();
  }
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
