// The end of a session: what it had on the disk goes, or is kept.
#include "backend/docker/docker_backend.hpp"
#include "base/finally.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// How long the end of a session waits for its directories to go; later they go without an audience.
constexpr std::chrono::seconds kReleaseLimit(10);

}  // namespace

Task<void> DockerBackend::release(SessionId session) {
  const auto done = std::make_shared<Event>(context_.executor);
  context_.background.spawn("remove directories",
                            [this, session, done] { return remove_directories(session, done); });
  auto waiting = done->wait();
  auto clock = sleep_for(kReleaseLimit);
  co_await (std::move(waiting) || std::move(clock));
}

Task<void> DockerBackend::remove_directories(SessionId session, std::shared_ptr<Event> done) {
  co_await context_.departed(session);
  if (context_.is_present(session)) co_return;  // the relay ends
  if (context_.options->auto_remove) {
    const auto removed = co_await remove_as_present(session);
    if (!removed) {
      context_.log.error("the session's directories are left",
                         {{"session", session.value()}, {"reason", removed.error().explanation}});
      remove_later(session);
    }
  } else {
    context_.log.info("the session's directories are kept",
                      {{"session", session.value()},
                       {"path", context_.options->workspace_base_dir + "/" + session.value()},
                       {"key", "container.auto_remove"}});
  }
  done->happen();
}

// Nothing of the session is there. An agent that is to go on with it waits until this is over.
Task<Result<void>> DockerBackend::remove_as_present(SessionId session) {
  context_.arrive(session);
  const Finally over([this, &session] { context_.depart(session); });
  auto removed = co_await context_.workspaces.remove(session);
  co_return removed;
}

void DockerBackend::remove_later(const SessionId& session) {
  left_.insert(session);
  if (std::exchange(is_retrying_, true)) return;
  retrying_.spawn("remove what is left", [this] { return remove_what_is_left(); });
}

// One after another, and ever more rarely: what is in the way (a mount, a disk, an Engine) may take
// hours to go. What is still left when the relay ends is found by its next start.
Task<void> DockerBackend::remove_what_is_left() {
  constexpr std::chrono::seconds kLongest(300);
  auto pause = std::chrono::seconds(1);
  while (!left_.empty()) {
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    pause = std::min(pause * 2, kLongest);
    const std::vector<SessionId> sessions(left_.begin(), left_.end());
    for (const SessionId& session : sessions) {
      if (context_.workspaces.is_going(session)) {
        if (context_.is_present(session)) continue;  // who is there removes them
        const auto removed = co_await remove_as_present(session);
        if (!removed) continue;
      }
      left_.erase(session);
      context_.log.info("removed the directories that were left", {{"session", session.value()}});
    }
  }
  is_retrying_ = false;
}

}  // namespace relay
