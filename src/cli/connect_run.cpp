#include "cli/connect_run.hpp"

#include "base/random_id.hpp"
#include "cli/reconnecting.hpp"
#include "cli/terminal_text.hpp"
#include "config/config.hpp"
#include "http/deadline.hpp"
#include "protocol/line_splitter.hpp"
#include "protocol/rpc.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

namespace relay::cli {
namespace {

// What a relay could take; whether it does is its own to say. Longer lines cannot even be answered
// with their id.
constexpr std::size_t kMaxLineBytes = config::kMostOfMessage;
// Of the relay: an agent's line, and what the relay writes into it. Over it the connection ends,
// and the next would bring the same message.
constexpr std::size_t kMaxMessageBytes = config::kMostOfMessage + (1u << 20);
constexpr std::size_t kMaxUnwritten = 8u << 20;
constexpr std::size_t kMaxSaid = 1000;  // characters of a line on stderr: what a pipe takes at once
constexpr auto kTooBig = static_cast<std::uint16_t>(http::CloseCode::kTooBig);

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

http::WebSocketClientOptions client_options() {
  http::WebSocketClientOptions options;
  options.websocket.max_message_bytes = kMaxMessageBytes;
  return options;
}

bridge::BridgeLimits bridge_limits() {
  bridge::BridgeLimits limits;
  limits.max_bytes = kMaxLineBytes;
  return limits;
}

Error line_too_long() {
  return make_error(
             ErrorType::kMessageTooLarge,
             fmt::format("a line has more than {} bytes, and no relay takes more", kMaxLineBytes))
      .suggest("send less at once");
}

}  // namespace

ConnectRun::ConnectRun(asio::any_io_executor executor, ConnectTarget target, ConnectTimes times,
                       StandardStream input, StandardStream output)
    : executor_(executor),
      target_(std::move(target)),
      url_(visible(target_.url.to_string())),
      times_(times),
      input_(std::move(input)),
      output_(std::move(output)),
      err_(STDERR_FILENO),
      signals_(executor, SIGINT, SIGTERM),
      bridge_(random_hex(8), bridge_limits()),
      tasks_(executor, ignore_failure),
      to_relay_(executor),
      to_editor_(executor),
      drained_(executor),
      progress_(executor),
      wanted_(executor) {}

// An editor may never read what is said here; then it is left out, and nothing waits for it.
void ConnectRun::say(const std::string& text) {
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) return;
  err_.write("acp-relay: " + one_line(text, kMaxSaid) + "\n");
}

Task<ExitCode> ConnectRun::run() {
  auto living = failure_of(live());
  const auto thrown = co_await std::move(living);
  tasks_.cancel();
  co_await tasks_.join();
  if (thrown) std::rethrow_exception(thrown);
  if (failure_) co_return failure_->code;
  co_return output_broken_ && !input_ended_ ? ExitCode::kError : ExitCode::kOk;
}

Task<void> ConnectRun::live() {
  tasks_.spawn("signals", [this] { return watch_signals(); });
  tasks_.spawn("editor", [this] { return read_editor(); });
  tasks_.spawn("to editor", [this] { return write_editor(); });
  tasks_.spawn("relay", [this] { return keep_connected(); });
  while (!input_ended_ && !failure_ && !output_broken_ && !told_to_end_) {
    co_await progress_.wait();
  }
  co_await finish();
}

// What was read is sent and what was asked is answered, within bounds.
Task<void> ConnectRun::finish() {
  const auto is_over = [this] { return output_broken_ || told_to_end_; };
  if (!failure_ && !is_over()) {
    const auto is_done = [this, is_over] { return bridge_.idle() || failure_ || is_over(); };
    co_await wait_for(is_done, times_.grace);
    if (!bridge_.idle() && !is_greeted_ && !is_over()) {
      fail(last_failure_ ? *last_failure_ : no_answer(url_));
    }
  }
  if (failure_ && !is_over()) {
    const auto is_told = [this, is_over] { return told_editor_ || input_ended_ || is_over(); };
    co_await wait_for(is_told, times_.farewell);
  }
  const auto is_written = [this] {
    return output_broken_ || (unwritten_.empty() && in_flight_ == 0);
  };
  co_await wait_for(is_written, times_.grace);
  if (client_ != nullptr) {
    told_to_end_ = true;  // it is not replaced
    client_->close(http::CloseCode::kNormal, "");
    const auto is_closed = [this] { return client_ == nullptr; };
    co_await wait_for(is_closed, times_.grace);
  }
}

Task<void> ConnectRun::wait_for(std::function<bool()> condition, std::chrono::milliseconds time) {
  bool late = false;
  const http::Deadline deadline(executor_, time, [this, &late] {
    late = true;
    progress_.notify();
  });
  while (!late && !condition()) {
    co_await progress_.wait();
  }
}

// The second signal ends the program at once.
Task<void> ConnectRun::watch_signals() {
  for (;;) {
    const auto [failure, number] = co_await signals_.async_wait(kNoThrow);
    if (failure) co_return;
    (void)number;
    if (told_to_end_) std::_Exit(static_cast<int>(ExitCode::kCancelled));
    told_to_end_ = true;
    progress_.notify();
  }
}

Task<void> ConnectRun::read_editor() {
  LineSplitter splitter(kMaxLineBytes);
  std::vector<std::string> lines;
  while (!input_ended_) {
    const std::string bytes = co_await input_.read();
    input_ended_ = bytes.empty();
    if (input_ended_) {
      splitter.finish(lines);
    } else {
      splitter.push(bytes, lines);
    }
    for (std::string& line : lines) bridge_.from_editor(std::move(line));
    lines.clear();
    for (auto left_out = splitter.take_oversized(); left_out > 0; --left_out) {
      unwritten_ += rpc::error("null", line_too_long(), rpc::Dialect::kAcp) + "\n";
    }
    spread();
    wanted_.notify();
  }
}

// All that is ready goes out in one write.
Task<void> ConnectRun::write_editor() {
  for (;;) {
    if (unwritten_.empty()) {
      const bool notified = co_await to_editor_.wait();
      if (!notified) co_return;
      continue;
    }
    const std::string bytes = std::exchange(unwritten_, {});
    in_flight_ = bytes.size();
    const bool written = co_await output_.write(bytes);
    in_flight_ = 0;
    drained_.notify();
    progress_.notify();
    if (!written) {
      output_broken_ = true;
      co_return;
    }
    told_editor_ = failure_.has_value();
  }
}

// Takes what the bridge has decided to where it belongs.
void ConnectRun::spread() {
  for (const std::string& line : bridge_.take_lines()) unwritten_.append(line).append("\n");
  for (const std::string& note : bridge_.take_notes()) say(visible(note));
  if (!unwritten_.empty()) to_editor_.notify();
  to_relay_.notify();
  progress_.notify();
}

void ConnectRun::fail(ConnectFailure failure) {
  if (failure_) return;
  say(visible(failure.error.explanation));
  bridge_.give_up(failure.error);
  failure_ = std::move(failure);
  spread();
}

Task<void> ConnectRun::keep_connected() {
  Reconnecting reconnecting(Clock::now() + times_.first);
  while (!told_to_end_) {
    // A relay does not keep connections that say nothing, so there is no use in one.
    if (was_connected_ && !bridge_.wants_connection()) {
      const bool notified = co_await wanted_.wait();
      if (!notified) co_return;
      reconnecting.try_until(Clock::now() + times_.first);
      continue;
    }
    const http::WebSocketUrl url = target_.url;
    const http::Headers headers = target_.headers;
    const http::WebSocketClientOptions options = client_options();
    Result<std::unique_ptr<http::WebSocketClient>> opened =
        co_await http::WebSocketClient::connect(executor_, url, headers, options);
    if (opened) {
      co_await serve(**opened);
      if (told_to_end_) co_return;
      reconnecting.connection_ended(was_useful_, was_cut_, Clock::now() + times_.reconnect);
      is_greeted_ = false;
    } else {
      last_failure_ = connect_failure(url_, opened.error(), was_connected_);
    }
    if (last_failure_ && (last_failure_->is_final || reconnecting.is_over(Clock::now()))) {
      co_return fail(*last_failure_);
    }
    const bool slept = co_await sleep_for(reconnecting.pause());
    if (!slept) co_return;
  }
}

// One connection, from its first message to its end.
Task<void> ConnectRun::serve(http::WebSocketClient& client) {
  client_ = &client;
  is_greeted_ = false;
  const std::uint64_t settled_before = bridge_.settled();
  const Clock::time_point began = Clock::now();
  bridge_.connected();
  if (!was_connected_) say("connected to " + url_);
  was_connected_ = true;
  TaskScope writer(executor_, ignore_failure);
  std::optional<Error> trouble;
  const auto talk = [&]() -> Task<void> {
    writer.spawn("to relay", [this, &client] { return write_relay(client); });
    co_await read_relay(client, trouble);
  };
  auto talking = failure_of(talk());
  const auto thrown = co_await std::move(talking);
  hear(client);
  const http::WebSocketClient::End end = client.ended();
  client.abandon();
  writer.cancel();
  co_await writer.join();
  bridge_.dropped({end.code == kTooBig});  // which settles what was too big
  was_useful_ = is_greeted_ &&
                is_useful({bridge_.settled() != settled_before, end.code, Clock::now() - began});
  was_cut_ = is_greeted_ && !end.code;
  client_ = nullptr;
  last_failure_ = ConnectFailure{};
  last_failure_->error = make_error(ErrorType::kInternalError,
                                    "the connection to the relay at " + url_ + " is lost: " +
                                        (trouble ? trouble->explanation : end.explanation))
                             .suggest("see whether the relay runs: acp-relay sessions list")
                             .retryable();
  if (!told_to_end_ && !lost_at_ && bridge_.wants_connection()) {
    lost_at_ = Clock::now();
    say(visible(last_failure_->error.explanation));
  }
  spread();
  co_await asio::this_coro::throw_if_cancelled(true);  // what connects next ends with the run
  if (thrown) std::rethrow_exception(thrown);
}

// Until the connection ends, or there is trouble with what it brings.
Task<void> ConnectRun::read_relay(http::WebSocketClient& client, std::optional<Error>& trouble) {
  while (!trouble) {
    std::vector<std::string> messages = co_await client.receive();
    if (messages.empty()) co_return;
    from_relay(client, std::move(messages));
    trouble = bridge_.take_trouble();
    while (unwritten_.size() + in_flight_ > kMaxUnwritten && !output_broken_ && !told_to_end_) {
      const bool notified = co_await drained_.wait();
      if (!notified) break;
    }
  }
}

void ConnectRun::from_relay(http::WebSocketClient& client, std::vector<std::string> messages) {
  for (std::string& message : messages) bridge_.from_relay(std::move(message));
  hear(client);
  note_greeting();
  spread();
}

// The relay has received everything up to what it answered last.
void ConnectRun::hear(const http::WebSocketClient& client) {
  const std::string pong = client.last_pong();
  if (!pong.empty()) bridge_.acknowledged(std::strtoull(pong.c_str(), nullptr, 10));
}

void ConnectRun::note_greeting() {
  if (is_greeted_ || !bridge_.greeted()) return;
  is_greeted_ = true;
  if (!lost_at_) return;
  say(fmt::format("connected again after {:.1f} s", seconds(Clock::now() - *lost_at_)));
  lost_at_.reset();
}

Task<void> ConnectRun::write_relay(http::WebSocketClient& client) {
  for (;;) {
    const bridge::Batch batch = bridge_.take_messages();
    progress_.notify();
    if (batch.messages.empty()) {
      const bool notified = co_await to_relay_.wait();
      if (!notified) co_return;
      continue;
    }
    std::vector<std::string_view> views;
    views.reserve(batch.messages.size());
    for (const SharedBytes& message : batch.messages) views.push_back(message.view());
    const Result<void> sent = co_await client.send(views);
    if (!sent) co_return;
    if (batch.mark != 0) client.ping(std::to_string(batch.mark));
  }
}

}  // namespace relay::cli
