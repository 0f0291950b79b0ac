#include "cli/commands.hpp"
#include "cli/json_access.hpp"
#include "cli/relay_client.hpp"
#include "cli/run_task.hpp"
#include "cli/session_settings.hpp"
#include "cli/terminal_text.hpp"
#include "cli/turn.hpp"

#include <boost/asio/signal_set.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxPromptBytes = 64u << 20;

Outcome<std::string> read_stdin() {
  std::string text;
  std::string buffer(64u << 10, '\0');
  while (text.size() <= kMaxPromptBytes) {
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Failure{ExitCode::kError, "cannot read standard input"};
    if (size == 0) break;
    text.append(buffer, 0, static_cast<std::size_t>(size));
  }
  if (text.size() > kMaxPromptBytes) {
    return Failure{ExitCode::kUsage, "the prompt on standard input is longer than 64 MiB"};
  }
  if (text.empty()) return Failure{ExitCode::kUsage, "standard input holds no prompt"};
  return text;
}

// One run of `acp-relay prompt`. Lives until its coroutine has ended.
class PromptRun {
 public:
  PromptRun(asio::any_io_executor executor, const PromptCommand& command, RelayAccess access,
            std::string text)
      : executor_(executor),
        command_(command),
        access_(std::move(access)),
        text_(std::move(text)),
        signals_(executor, SIGINT, SIGTERM),
        tasks_(executor, [](const std::string&, std::exception_ptr) {}) {}

  Task<ExitCode> run() {
    tasks_.spawn("signals", [this] { return watch_signals(); });
    std::optional<ExitCode> code;
    auto living = failure_of(live(code));
    const auto thrown = co_await std::move(living);
    turn_ = nullptr;
    tasks_.cancel();
    co_await tasks_.join();
    if (thrown) std::rethrow_exception(thrown);
    co_return *code;
  }

 private:
  Task<void> live(std::optional<ExitCode>& code) {
    const ExitCode said = co_await talk();
    code = said;
  }

  Task<ExitCode> talk() {
    RelayClient client(executor_, access_);
    std::string session = command_.session;
    const bool is_new = session.empty();
    json::object settings;
    if (is_new) {
      json::object params;
      params["workingDirectory"] = directory();
      params["mcpServers"] = json::array();
      const Outcome<json::object> created = co_await client.call("session/new", std::move(params));
      if (!created) co_return report(created.error());
      session = string_at(*created, "sessionId");
      if (session.empty()) {
        co_return report({ExitCode::kError, "the relay answered session/new without a sessionId"});
      }
      print_created(*created);
      settings = *created;
    }
    const std::string silence = silence_note(settings);
    const Outcome<void> ready = co_await adjust(client, session, std::move(settings));
    if (!ready) {
      if (is_new) co_await close_unused(client, session);
      co_return report(ready.error());
    }
    Turn turn(executor_, access_, command_, session, silence, out_, err_);
    turn_ = &turn;
    const Outcome<json::object> result = co_await turn.run(std::move(text_));
    turn_ = nullptr;
    const ExitCode code = conclude(result, turn.cancelled());
    if (!command_.close) {
      if (result) err_.write(how_to_go_on(session));
      co_return code;
    }
    json::object params;
    params["sessionId"] = session;
    const Outcome<json::object> closed = co_await client.call("session/close", std::move(params));
    if (!closed) co_return report(closed.error());
    co_return code;
  }

  // Puts the mode and the model in force that were asked for, and says when no questions will come.
  Task<Outcome<void>> adjust(RelayClient& client, const std::string& session,
                             json::object settings) {
    const bool is_told = !command_.mode.empty() || !command_.model.empty();
    if (settings.empty() && (is_told || command_.permissions != PermissionPolicy::kAllow)) {
      json::object params;
      params["sessionId"] = session;
      const Outcome<json::object> known = co_await client.call("session/resume", std::move(params));
      if (!known && is_told) co_return known.error();
      if (known) settings = *known;  // else the prompt says what is wrong, or starts another agent
    }
    std::string mode = current_mode(settings);
    if (!command_.mode.empty()) {
      const Outcome<SettingCall> call = mode_call(settings, command_.mode);
      if (!call) co_return call.error();
      const Outcome<void> set = co_await perform(client, session, *call);
      if (!set) co_return set.error();
      mode = call->value;
    }
    if (!command_.model.empty()) {
      const Outcome<SettingCall> call = model_call(settings, command_.model);
      if (!call) co_return call.error();
      const Outcome<void> set = co_await perform(client, session, *call);
      if (!set) co_return set.error();
    }
    err_.write(unasked_note(settings, mode, command_.permissions));
    co_return Outcome<void>();
  }

  Task<Outcome<void>> perform(RelayClient& client, const std::string& session, SettingCall call) {
    call.params["sessionId"] = session;
    const Outcome<json::object> done = co_await client.call(call.method, std::move(call.params));
    if (!done) co_return done.error();
    co_return Outcome<void>();
  }

  // A session that was made for a prompt that is not sent.
  Task<void> close_unused(RelayClient& client, const std::string& session) {
    json::object params;
    params["sessionId"] = session;
    const auto closed = co_await client.call("session/close", std::move(params));
    (void)closed;  // the first failure is the one to tell
  }

  // First: cancels the turn. Second, or when no turn runs: the end, nothing here needs tidying.
  Task<void> watch_signals() {
    for (bool first = true;; first = false) {
      const auto [error, number] = co_await signals_.async_wait(kNoThrow);
      if (error) co_return;
      (void)number;
      if (!first || turn_ == nullptr) {
        err_.write("\n");
        std::_Exit(static_cast<int>(ExitCode::kCancelled));
      }
      turn_->cancel();
    }
  }

  std::string directory() const {
    std::error_code error;
    const auto here = std::filesystem::current_path(error);
    if (error) return command_.cwd;
    std::string path = (here / command_.cwd).lexically_normal().string();
    if (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }

  void print_created(const json::object& created) {
    if (!command_.json) return;
    json::object message;
    message["jsonrpc"] = "2.0";
    message["id"] = 0;
    message["result"] = created;
    out_.write(json::serialize(message) + "\n");
  }

  ExitCode conclude(const Outcome<json::object>& result, bool cancelled) {
    if (!result) {
      const ExitCode code = report(result.error());
      return cancelled ? ExitCode::kCancelled : code;
    }
    const std::string_view reason = string_at(*result, "stopReason");
    if (reason != "end_turn") err_.write("stopped: " + one_line(reason, 60) + "\n");
    return reason == "cancelled" ? ExitCode::kCancelled : ExitCode::kOk;
  }

  std::string how_to_go_on(const std::string& session) const {
    std::string line = "session " + visible(session) + " is open; go on with: acp-relay prompt";
    if (command_.relay.url != RelayAddress{}.url) line += " --url " + visible(command_.relay.url);
    return line + " --session " + visible(session) + " \"...\"\n";
  }

  asio::any_io_executor executor_;
  const PromptCommand& command_;
  RelayAccess access_;
  std::string text_;
  Output out_{STDOUT_FILENO};
  Output err_{STDERR_FILENO};
  asio::signal_set signals_;
  Turn* turn_ = nullptr;  // while one runs
  TaskScope tasks_;
};

}  // namespace

ExitCode report(const Failure& failure) {
  Output(STDERR_FILENO).write("acp-relay: " + failure.text + "\n");
  return failure.code;
}

ExitCode run_prompt(const PromptCommand& command, const Environment& environment) {
  Outcome<RelayAccess> access = prepare_access(Port::kHttp, command.relay, environment);
  if (!access) return report(access.error());
  std::string text = command.text;
  if (text == "-") {
    Outcome<std::string> read = read_stdin();
    if (!read) return report(read.error());
    text = std::move(*read);
  }
  return run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    PromptRun run(executor, command, std::move(*access), std::move(text));
    co_return co_await run.run();
  });
}

}  // namespace relay::cli
