#include "cli/commands.hpp"
#include "cli/drain_view.hpp"
#include "cli/json_access.hpp"
#include "cli/output.hpp"
#include "cli/terminal_text.hpp"
#include "cli/with_relay.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
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
// For an answer, also when --timeout is over.
constexpr std::chrono::seconds kDrainAnswer(10);
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
  Drain(RelayClient& client, const DrainCommand& command)
      : client_(client),
        command_(command),
        until_(command.timeout_seconds > 0
                   ? Clock::now() + std::chrono::seconds(command.timeout_seconds)
                   : Clock::time_point::max()) {}

  Task<ExitCode> undo() {
    const auto answer = co_await ask("DELETE", "/api/drain", answer_due());
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
    Outcome<json::object> state = co_await ask("POST", "/api/drain", answer_due());
    if (state) say("the relay makes no new sessions");
    while (state) {
      show(drain_progress(*state));
      if (is_over(*state)) {
        if (!command_.stop) co_return say("nothing is under way; the relay goes on draining");
        const std::optional<ExitCode> ended = co_await stop(Stop::kIfQuiet);
        if (ended) co_return *ended;  // otherwise a prompt was faster
      } else if (is_late()) {
        Failure late{ExitCode::kError, waited() + ", " + drain_progress(*state) + "\n" +
                                           kHowToUndo +
                                           "; --force stops the relay at the end of --timeout"};
        co_return co_await give_up(std::move(late));
      }
      const bool slept = co_await sleep_for(kDrainPause);
      if (!slept) co_return ExitCode::kCancelled;
      state = co_await ask("GET", "/api/drain", answer_due());
      if (state && !bool_at(*state, "draining")) {
        co_return report({ExitCode::kError, "somebody else has ended the draining"});
      }
    }
    co_return co_await give_up(state.error());
  }

  // Fails also when there is no answer until then.
  Task<Outcome<json::object>> ask(std::string method, std::string target, Clock::time_point until) {
    auto answer = client_.ask(std::move(method), std::move(target));
    auto clock = sleep_for(until - Clock::now());
    auto first = co_await (std::move(answer) || std::move(clock));
    if (first.index() == 0) co_return std::get<0>(std::move(first));
    co_return Failure{ExitCode::kError,
                      waited() + ", and " + visible(client_.url()) +
                          " does not answer\nsee its log; it may be draining, or stop, when it "
                          "answers again: 'acp-relay drain --undo' ends the former"};
  }

  Clock::time_point answer_due() const { return std::max(until_, Clock::now() + kDrainAnswer); }

  bool is_over(const json::object& state) const {
    return command_.until_no_session ? number_at(state, "sessions") == 0 : bool_at(state, "quiet");
  }

  bool is_late() const { return Clock::now() >= until_; }

  std::string waited() const { return std::to_string(command_.timeout_seconds) + " s are over"; }

  Task<ExitCode> give_up(Failure failure) {
    if (!command_.force || !is_late()) co_return report(failure);
    say(waited() + ": the relay stops all the same");
    const std::optional<ExitCode> ended = co_await stop(Stop::kWhateverRuns);
    co_return ended.value_or(ExitCode::kError);
  }

  enum class Stop { kIfQuiet, kWhateverRuns };

  // Nothing: turns are under way again.
  Task<std::optional<ExitCode>> stop(Stop when) {
    const bool if_quiet = when == Stop::kIfQuiet;
    std::string target = if_quiet ? "/api/stop?ifQuiet=true" : "/api/stop";
    const auto stopping = co_await ask("POST", std::move(target), answer_due());
    if (!stopping && if_quiet) {
      const auto again = co_await ask("GET", "/api/drain", answer_due());
      if (again && !bool_at(*again, "quiet")) co_return std::nullopt;
      co_return co_await give_up(stopping.error());
    }
    if (!stopping) co_return report(stopping.error());
    is_stopping_ = true;
    if (const std::string losses = drain_losses(*stopping); !losses.empty()) say(losses);
    co_return co_await wait_for_end(*stopping);
  }

  // The ports, and the database, are free for the next one then.
  Task<ExitCode> wait_for_end(json::object state) {
    const auto patience =
        std::chrono::milliseconds(number_at(state, "shutdownTimeoutMs")) + kAfterShutdown;
    const auto until = Clock::now() + patience;
    while (true) {
      const auto answer = co_await ask("GET", "/api/drain", until);
      if (Clock::now() >= until) break;
      const bool is_gone =
          answer ? is_another_relay(*answer, state) : !relay_runs_here(number_at(state, "pid"));
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
  Clock::time_point until_;  // of --timeout
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
  return with_relay(Port::kManagement, command.relay, environment,
                    [&](RelayClient& client) { return drain_relay(client, command); });
}

}  // namespace relay::cli
