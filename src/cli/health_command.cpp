#include "cli/commands.hpp"
#include "cli/health_view.hpp"
#include "cli/output.hpp"
#include "cli/redraw.hpp"
#include "cli/relay_client.hpp"
#include "cli/terminal_text.hpp"
#include "cli/with_relay.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <csignal>
#include <sys/ioctl.h>
#include <unistd.h>

namespace relay::cli {
namespace {

namespace json = boost::json;
using namespace asio::experimental::awaitable_operators;

using Duration = std::chrono::steady_clock::duration;

constexpr std::chrono::seconds kEvery(2);
constexpr std::chrono::milliseconds kShortestPause(500);
// The relay itself gives its agents a few seconds.
constexpr std::chrono::seconds kPatience(20);

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

class HealthReport {
 public:
  HealthReport(RelayClient& client, const HealthCommand& command)
      : client_(client), command_(command) {}

  Task<ExitCode> once() {
    const Outcome<json::object> overview = co_await ask();
    if (!overview) co_return report(overview.error());
    out_.write(text_of(*overview));
    if (out_.broken()) co_return ExitCode::kError;
    co_return is_ready(*overview) ? ExitCode::kOk : ExitCode::kError;
  }

  // Until it is interrupted. A relay that goes away is waited for.
  Task<ExitCode> watch() {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::signal_set signals(executor, SIGINT, SIGTERM);
    auto interrupted = signals.async_wait(kNoThrow);
    auto watching = look_again_and_again();
    const auto first = co_await (std::move(watching) || std::move(interrupted));
    co_return first.index() == 0 ? std::get<0>(first) : ExitCode::kOk;
  }

 private:
  Task<ExitCode> look_again_and_again() {
    for (bool is_first = true; !out_.broken(); is_first = false) {
      const auto began = std::chrono::steady_clock::now();
      const Outcome<json::object> overview = co_await ask();
      if (overview) {
        show(text_of(*overview), is_first);
      } else if (is_first || overview.error().code != ExitCode::kCannotConnect) {
        co_return report(overview.error());
      } else if (command_.json) {
        report(overview.error());
      } else {
        show(overview.error().text + "\n", is_first);
      }
      const auto took = std::chrono::steady_clock::now() - began;
      const bool slept = co_await sleep_for(std::max<Duration>(kEvery - took, kShortestPause));
      if (!slept) break;
    }
    co_return ExitCode::kOk;
  }

  Task<Outcome<json::object>> ask() {
    std::string target = "/api/overview?limit=" + std::to_string(command_.limit);
    auto answer = client_.get_object(std::move(target));
    auto clock = sleep_for(kPatience);
    auto first = co_await (std::move(answer) || std::move(clock));
    if (first.index() == 0) co_return std::get<0>(std::move(first));
    co_return Failure{ExitCode::kCannotConnect, visible(client_.url()) + " does not answer (20 s)"};
  }

  std::string text_of(const json::object& overview) const {
    if (command_.json) return json::serialize(overview) + "\n";
    return health_screen(overview, client_.url());
  }

  void show(const std::string& text, bool is_first) {
    if (command_.json) {
      out_.write(text);
    } else if (out_.is_terminal()) {
      out_.write(redraw(text, terminal_size()));
    } else {
      out_.write((is_first ? "" : "---\n") + text);
    }
  }

  RelayClient& client_;
  const HealthCommand& command_;
  Output out_{STDOUT_FILENO};
};

Task<ExitCode> tell(RelayClient& client, const HealthCommand& command) {
  HealthReport health(client, command);
  if (command.watch) co_return co_await health.watch();
  co_return co_await health.once();
}

}  // namespace

ExitCode run_health(const HealthCommand& command, const Environment& environment) {
  return with_relay(Port::kManagement, command.relay, environment,
                    [&](RelayClient& client) { return tell(client, command); });
}

}  // namespace relay::cli
