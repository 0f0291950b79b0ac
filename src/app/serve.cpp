#include "app/serve.hpp"

#include "app/application.hpp"
#include "app/settings.hpp"
#include "base/log.hpp"
#include "base/open_files.hpp"
#include "base/random_id.hpp"
#include "base/unique_fd.hpp"
#include "config/load.hpp"
#include "config/print.hpp"
#include "protocol/secrets.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sysexits.h>
#include <unistd.h>

namespace relay::app {
namespace {

// For lines of the log before the relay goes on without them.
constexpr std::chrono::seconds kLastLines{1};

// For what still runs when the application has stopped: all of it is about to end.
constexpr std::chrono::seconds kLastTurns{5};

enum ExitCode { kGood = 0, kFailed = 1, kRefused = EX_CONFIG, kInterrupted = 130 };

void say(const std::string& text) { std::fputs(text.c_str(), stderr); }

std::string explained(const Error& error) {
  std::string text = "acp-relay: " + error.explanation + "\n";
  for (const std::string& cause : error.possible_causes) text += "  perhaps: " + cause + "\n";
  for (const std::string& action : error.suggested_actions) text += "  try: " + action + "\n";
  return text;
}

// Ends without destructors, with what the log still has.
[[noreturn]] void end_now(const Logger& log, ExitCode code) {
  log.flush(kLastLines);
  ::_exit(code);
}

enum class Hangup { kEnds, kReloads, kIsIgnored };

// A lost terminal ends the relay as SIGTERM does, except where it was started to outlive one
// (nohup). A relay that has none to lose (a service, a container) is told to read its configuration
// again.
Hangup meaning_of_hangup() {
  struct sigaction current {};
  if (::sigaction(SIGHUP, nullptr, &current) == 0 && current.sa_handler == SIG_IGN) {
    return Hangup::kIsIgnored;
  }
  const UniqueFd terminal(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC));
  return terminal.get() >= 0 ? Hangup::kEnds : Hangup::kReloads;
}

config::LoadResult load_configuration(const ServeOptions& options,
                                      const config::Environment& environment) {
  config::LoadResult loaded = !options.config_given && !std::filesystem::exists(options.config_path)
                                  ? config::load_text("", "defaults", environment)
                                  : config::load(options.config_path, environment);
  if (options.verbose) loaded.config.log.level = LogLevel::kDebug;
  return loaded;
}

Task<void> reload_on_hangup(Application& application, asio::signal_set& hangups) {
  while (true) {
    const auto [failure, signal] = co_await hangups.async_wait(kNoThrow);
    if (failure) co_return;
    const auto outcome = co_await application.reload();
    static_cast<void>(outcome);  // the log has it
  }
}

// A terminal that goes away says so several times, by its shell and by the kernel: that is no wish
// for more haste.
void abandon_on_signal(Application& application, asio::signal_set& signals, const Logger& log) {
  signals.async_wait([&application, &signals, log](boost::system::error_code ignored, int signal) {
    if (ignored) return;
    if (signal == SIGHUP) {
      abandon_on_signal(application, signals, log);
      return;
    }
    application.abandon();
    end_now(log, kInterrupted);
  });
}

// No end within the limit: end at once. Not as `stop() || clock`, which tells stop() and then waits
// for all that it waits for.
void abandon_when_late(Application& application, asio::steady_timer& clock, const Logger& log,
                       std::chrono::milliseconds limit) {
  clock.expires_after(limit);
  clock.async_wait([&application, log, limit](boost::system::error_code stopped_in_time) {
    if (stopped_in_time) return;
    log.error("not everything ended within server.shutdown_timeout", {{"limit_ms", limit.count()}});
    application.abandon();
    end_now(log, kFailed);
  });
}

// First signal, or an operator's wish: end in order. A signal after that, or no end within the
// limit: end at once.
Task<void> end_on_signal(Application& application, asio::signal_set& signals, Logger log,
                         std::chrono::milliseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto told = signals.async_wait(kNoThrow);
  auto asked = application.stop_wanted();
  const auto first = co_await (std::move(told) || std::move(asked));
  if (first.index() == 0) {
    const auto [failure, signal] = std::get<0>(first);
    if (failure) co_return;
    log.info("shutting down", {{"signal", signal}});
  } else {
    log.info("shutting down", {{"asked", "over the management API"}});
  }
  abandon_on_signal(application, signals, log);
  asio::steady_timer clock(signals.get_executor());
  abandon_when_late(application, clock, log, limit);
  co_await application.stop();
  clock.cancel();
  signals.cancel();
}

// Containers may need an image first: that can take minutes, and a signal ends it.
Result<std::unique_ptr<Application>> start(asio::io_context& loop, asio::signal_set& signals,
                                           const config::Config& config,
                                           ReadConfiguration read_again, std::string token,
                                           std::shared_ptr<SecretRedactor> redactor,
                                           const Logger& log) {
  std::optional<Result<std::unique_ptr<Application>>> started;
  auto starting = Application::start(loop.get_executor(), config, std::move(read_again),
                                     std::move(token), std::move(redactor), log);
  asio::co_spawn(
      loop, std::move(starting),
      [&started](std::exception_ptr failure, Result<std::unique_ptr<Application>> result) {
        if (failure) std::rethrow_exception(failure);
        started.emplace(std::move(result));
      });
  signals.async_wait([&log](boost::system::error_code ignored, int) {
    if (ignored) return;
    log.text("acp-relay: interrupted while starting\n");
    end_now(log, kInterrupted);
  });
  while (!started) loop.run_one();
  signals.cancel();
  return std::move(*started);
}

int run(const config::Config& config, ReadConfiguration read_again) {
  std::string token = needs_generated_token(config) ? random_hex(24) : std::string();
  std::vector<std::string> secrets = config::secrets(config);
  if (!token.empty()) secrets.push_back(token);
  const auto redactor = std::make_shared<SecretRedactor>(std::move(secrets));
  const Logger log =
      Logger::to_stderr(config.log.level, config.log.format,
                        [redactor](std::string_view line) { return redactor->redact(line); });
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  asio::signal_set hangups(loop);
  const Hangup hangup = meaning_of_hangup();
  if (hangup == Hangup::kEnds) signals.add(SIGHUP);
  if (hangup == Hangup::kReloads) hangups.add(SIGHUP);
  auto started =
      start(loop, signals, config, std::move(read_again), std::move(token), redactor, log);
  if (!started) {
    log.text(explained(started.error()));
    return kFailed;
  }
  const std::unique_ptr<Application> application = std::move(*started);
  ExitCode code = kGood;
  asio::co_spawn(loop, application->run(), [&](std::exception_ptr failure) {
    if (failure) code = kFailed;
    signals.cancel();
    hangups.cancel();
  });
  if (hangup == Hangup::kReloads) {
    asio::co_spawn(loop, reload_on_hangup(*application, hangups), asio::detached);
  }
  asio::co_spawn(loop, end_on_signal(*application, signals, log, config.server.shutdown_timeout),
                 [&](std::exception_ptr failure) {
                   if (failure) code = kFailed;
                   loop.stop();
                 });
  log.text(startup_lines(config, application->running()));
  log.flush(kLastLines);  // before the first request is answered
  loop.run();
  // Nobody listens to signals any more: what does not end must not keep the relay.
  loop.restart();
  loop.run_for(kLastTurns);
  if (!loop.stopped()) {
    log.error("something does not end, leaving it behind", {{"limit_s", kLastTurns.count()}});
    application->abandon();
    end_now(log, code);
  }
  log.info("stopped");
  return code;
}

}  // namespace

int serve(const ServeOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write
  raise_open_files();
  const config::Environment environment = config::process_environment();
  const config::LoadResult loaded = load_configuration(options, environment);
  for (const auto& warning : loaded.warnings) say("warning: " + describe(warning) + "\n");
  if (!loaded.ok()) {
    for (const auto& problem : loaded.problems) say(describe(problem) + "\n");
    return loaded.is_unread() ? kFailed : kRefused;
  }
  // A file that was read and has gone is no wish for the defaults, which may ask for no token.
  ServeOptions again = options;
  again.config_given = options.config_given || !loaded.config.file.empty();
  // Copies: it is read again on another thread.
  return run(loaded.config,
             [again, environment] { return load_configuration(again, environment); });
}

}  // namespace relay::app
