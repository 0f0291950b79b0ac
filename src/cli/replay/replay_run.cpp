#include "cli/replay/replay_run.hpp"

#include "http/deadline.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace relay::cli {
namespace {

// For what an agent says behind its last answer.
constexpr std::chrono::milliseconds kAfterword(2'000);

}  // namespace

ReplayRun::ReplayRun(asio::any_io_executor executor, std::unique_ptr<ReplayLink> link,
                     Player& player, std::chrono::seconds silence, Listener listener)
    : executor_(executor),
      link_(std::move(link)),
      player_(player),
      silence_(silence),
      listener_(std::move(listener)),
      signals_(executor, SIGINT, SIGTERM),
      tasks_(executor, ignore_failure),
      progress_(executor) {}

Task<Outcome<void>> ReplayRun::run() {
  tasks_.spawn("signals", [this] { return watch_signals(); });
  tasks_.spawn("read", [this] { return read(); });
  Outcome<void> outcome = co_await play();
  tasks_.cancel();
  co_await tasks_.join();
  co_await link_->close(player_.session());
  co_return outcome;
}

Task<void> ReplayRun::read() {
  while (!ended_) {
    std::vector<std::string> messages = co_await link_->receive();
    ended_ = messages.empty();
    for (std::string& message : messages) inbox_.push_back(std::move(message));
    progress_.notify();
  }
}

// The second signal ends the program at once.
Task<void> ReplayRun::watch_signals() {
  for (;;) {
    const auto [failure, number] = co_await signals_.async_wait(kNoThrow);
    if (failure) co_return;
    (void)number;
    if (interrupted_) std::_Exit(static_cast<int>(ExitCode::kCancelled));
    interrupted_ = true;
    progress_.notify();
  }
}

Task<bool> ReplayRun::wait(std::chrono::milliseconds time) {
  bool late = false;
  const http::Deadline deadline(executor_, time, [this, &late] {
    late = true;
    progress_.notify();
  });
  while (!late && inbox_.empty() && !ended_ && !interrupted_) {
    co_await progress_.wait();
  }
  co_return !late;
}

void ReplayRun::hear() {
  while (!inbox_.empty()) {
    const std::string message = std::move(inbox_.front());
    inbox_.pop_front();
    player_.take(message);
  }
  if (ended_) player_.lost(link_->error_type());
  for (const std::string& note : player_.take_notes()) listener_.note(note);
  const auto& turns = player_.transcript().turns();
  while (turns_told_ < turns.size() && !turns[turns_told_].stop.empty()) {
    listener_.turn_ended(turns_told_++);
  }
}

Task<Outcome<void>> ReplayRun::play() {
  auto resume_at = std::chrono::steady_clock::time_point::max();
  for (;;) {
    hear();
    std::vector<std::string> lines = player_.take_lines();
    if (!lines.empty()) {
      const bool sent = co_await link_->send(std::move(lines));
      if (!sent) ended_ = true;
      continue;
    }
    if (player_.failure()) {
      Failure failure = *player_.failure();
      if (ended_) failure.text += "\n  " + link_->ended();
      co_return failure;
    }
    if (player_.done()) break;
    if (interrupted_) co_return Failure{ExitCode::kCancelled, "the replay was interrupted"};
    const auto now = std::chrono::steady_clock::now();
    std::chrono::milliseconds time(silence_);
    if (player_.pause()) {
      if (resume_at == std::chrono::steady_clock::time_point::max()) {
        resume_at = now + *player_.pause();
      }
      // Zero would mean for ever.
      time = std::max(std::chrono::milliseconds(1),
                      std::chrono::ceil<std::chrono::milliseconds>(resume_at - now));
    }
    const bool is_new = co_await wait(time);
    if (player_.pause() && std::chrono::steady_clock::now() >= resume_at) {
      resume_at = std::chrono::steady_clock::time_point::max();
      player_.resume();
    } else if (!is_new) {
      co_return Failure{ExitCode::kError,
                        "the agent has said nothing for " + std::to_string(silence_.count()) +
                            " s\n  what to do:\n    - raise --timeout when it needs longer\n    - "
                            "try the prompt by hand: acp-relay prompt"};
    }
  }
  const auto until = std::chrono::steady_clock::now() + kAfterword;
  while (!player_.heard_all() && !ended_ && !interrupted_) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const bool is_new = co_await wait(left);
    if (!is_new) break;
    hear();
  }
  co_return Outcome<void>();
}

}  // namespace relay::cli
