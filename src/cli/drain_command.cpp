#include "cli/commands.hpp"
#include "cli/drain_view.hpp"
#include "cli/json_access.hpp"
#include "cli/output.hpp"
#include "cli/with_relay.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <unistd.h>

namespace relay::cli {
namespace {

namespace json = boost::json;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kDrainPause(250);
// A relay ends itself at server.shutdown_timeout; then it writes what its log still has.
constexpr std::chrono::seconds kAfterShutdown(5);

constexpr const char* kHowToUndo =
    "the relay goes on draining; 'acp-relay drain --undo' ends that, 'acp-relay drain' waits again";

// Whether a relay with this number runs on this machine. One of another machine, or of another
// container, is nobody here.
bool relay_runs_here(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), {}};  // none: a zombie
  return words.find("acp-relay") != std::string::npos;
}

class Drain {
 public:
  Drain(RelayClient& client, const DrainCommand& command) : client_(client), command_(command) {}

  Task<ExitCode> undo() {
    const auto answer = co_await client_.ask("DELETE", "/api/drain");
    if (!answer) co_return report(answer.error());
    co_return say("the relay makes sessions again");
  }

  Task<ExitCode> run() {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::signal_set signals(executor, SIGINT, SIGTERM);
    auto interrupted = signals.async_wait(kNoThrow);
    auto draining = drain();
    const auto first = co_await (std::move(draining) || std::move(interrupted));
    if (first.index() == 0) co_return std::get<0>(first);
    co_return report(
        {ExitCode::kCancelled, std::string("interrupted: ") +
                                   (is_stopping_ ? "the relay stops all the same" : kHowToUndo)});
  }

 private:
  Task<ExitCode> drain() {
    Outcome<json::object> state = co_await client_.ask("POST", "/api/drain");
    if (!state) co_return report(state.error());
    const auto began = Clock::now();
    say("the relay makes no new sessions");
    while (true) {
      show(drain_progress(*state));
      if (is_over(*state)) {
        if (!command_.stop) co_return say("nothing is under way; the relay goes on draining");
        const std::optional<ExitCode> ended = co_await stop(*state, "/api/stop?ifQuiet=true");
        if (ended) co_return *ended;  // otherwise a prompt was faster
      } else if (is_late(began)) {
        co_return co_await give_up(*state);
      }
      const bool slept = co_await sleep_for(kDrainPause);
      if (!slept) co_return ExitCode::kCancelled;
      state = co_await client_.ask("GET", "/api/drain");
      if (!state) co_return report(state.error());
      if (!bool_at(*state, "draining")) {
        co_return report({ExitCode::kError, "somebody else has ended the draining"});
      }
    }
  }

  bool is_over(const json::object& state) const {
    return command_.until_no_session ? number_at(state, "sessions") == 0 : bool_at(state, "quiet");
  }

  bool is_late(Clock::time_point began) const {
    return command_.timeout_seconds > 0 &&
           Clock::now() - began >= std::chrono::seconds(command_.timeout_seconds);
  }

  Task<ExitCode> give_up(json::object state) {
    const std::string waited = std::to_string(command_.timeout_seconds) + " s are over";
    if (command_.force) {
      say(waited + ": the relay stops all the same");
      const std::optional<ExitCode> ended = co_await stop(std::move(state), "/api/stop");
      co_return ended.value_or(ExitCode::kError);
    }
    co_return report({ExitCode::kError, waited + ", " + drain_progress(state) + "\n" + kHowToUndo +
                                            "; --force stops the relay at the end of --timeout"});
  }

  // Nothing: turns are under way again.
  Task<std::optional<ExitCode>> stop(json::object state, std::string target) {
    const auto stopping = co_await client_.ask("POST", std::move(target));
    if (!stopping) {
      const auto again = co_await client_.ask("GET", "/api/drain");
      if (again && !bool_at(*again, "quiet")) co_return std::nullopt;
      co_return report(stopping.error());
    }
    is_stopping_ = true;
    if (const std::string losses = drain_losses(*stopping); !losses.empty()) say(losses);
    co_return co_await wait_for_end(std::move(state));
  }

  // The ports, and the database, are free for the next one then.
  Task<ExitCode> wait_for_end(json::object state) {
    const auto patience =
        std::chrono::milliseconds(number_at(state, "shutdownTimeoutMs")) + kAfterShutdown;
    const auto until = Clock::now() + patience;
    while (Clock::now() < until) {
      const auto answer = co_await client_.ask("GET", "/api/drain");
      const bool is_gone = answer ? number_at(*answer, "pid") != number_at(state, "pid")
                                  : !relay_runs_here(number_at(state, "pid"));
      if (is_gone) co_return say("the relay has stopped");
      const bool slept = co_await sleep_for(kDrainPause);
      if (!slept) co_return ExitCode::kCancelled;
    }
    co_return report({ExitCode::kError, "the relay still runs: read its log"});
  }

  // What has not changed is not said again.
  void show(const std::string& progress) {
    if (progress == shown_) return;
    shown_ = progress;
    say(progress);
  }

  ExitCode say(const std::string& line) {
    return out_.write(line + "\n") ? ExitCode::kOk : ExitCode::kError;
  }

  RelayClient& client_;
  const DrainCommand& command_;
  Output out_{STDOUT_FILENO};
  std::string shown_;
  bool is_stopping_ = false;
};

Task<ExitCode> drain_relay(RelayClient& client, const DrainCommand& command) {
  Drain drain(client, command);
  if (command.undo) co_return co_await drain.undo();
  co_return co_await drain.run();
}

}  // namespace

ExitCode run_drain(const DrainCommand& command, const Environment& environment) {
  return with_relay(command.relay.management_url, command.relay, environment,
                    [&](RelayClient& client) { return drain_relay(client, command); });
}

}  // namespace relay::cli
