// What tests of the management API share: a directory with agents that only shake hands, a log in
// memory, and exchanges without a socket. Included by tests only.
#pragma once

#include "management/management_api.hpp"
#include "protocol/frame.hpp"
#include "protocol/rpc.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <stdexcept>

namespace relay::management {

class PoliteAgent final : public Agent {
 public:
  PoliteAgent(const asio::any_io_executor& executor, const std::optional<AgentUsage>& usage,
              int& times_asked)
      : changed_(executor), usage_(usage), times_asked_(times_asked) {}

  Task<Result<void>> send(std::span<const SharedBytes> messages) override {
    for (const SharedBytes& message : messages) {
      const auto frame = Frame::parse(std::string(message.view()), {});
      if (!frame || frame->kind() != FrameKind::kRequest) continue;
      const bool starts = frame->method() == "initialize";
      output_.lines.push_back(rpc::result(
          frame->id(), starts ? R"({"protocolVersion":1})" : R"({"sessionId":"inner"})"));
    }
    changed_.notify();
    co_return Result<void>();
  }
  Task<std::optional<AgentOutput>> receive() override {
    while (output_.lines.empty() && !ended_) {
      const bool notified = co_await changed_.wait();
      if (!notified) co_return std::nullopt;
    }
    if (output_.lines.empty()) co_return std::nullopt;
    co_return std::exchange(output_, {});
  }
  Task<AgentExit> stop(std::chrono::milliseconds) override {
    ended_ = true;
    changed_.notify();
    AgentExit exit;
    exit.exit_code = 0;
    co_return exit;
  }
  void kill() noexcept override {}
  bool leave() noexcept override { return false; }
  Task<std::optional<Error>> diagnose() override { co_return std::nullopt; }
  Task<std::optional<AgentUsage>> usage() override {
    ++times_asked_;
    while (!usage_ && !ended_) {
      const bool notified = co_await changed_.wait();
      if (!notified) co_return std::nullopt;
    }
    co_return usage_;
  }
  std::chrono::steady_clock::time_point launched_at() const override {
    return std::chrono::steady_clock::now();
  }
  std::string stderr_tail() const override { return {}; }
  const std::string& working_directory() const override { return directory_; }
  std::string description() const override { return "pid 4711"; }

 private:
  Wakeup changed_;
  AgentOutput output_;
  const std::optional<AgentUsage>& usage_;
  int& times_asked_;
  bool ended_ = false;
  std::string directory_ = "/srv/work";
};

class PoliteBackend final : public AgentBackend {
 public:
  explicit PoliteBackend(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec) override {
    if (launching) co_await launching->wait();
    std::unique_ptr<Agent> agent = std::make_unique<PoliteAgent>(executor_, usage, times_asked);
    co_return agent;
  }
  Task<Result<Reattachment>> reattach(SessionId, OutputPosition) override {
    co_return make_error(ErrorType::kRelayRestarted, "this agent ended with the relay");
  }
  Task<void> end_unwanted(SessionId) override { co_return; }
  Task<void> release(SessionId) override { co_return; }
  Task<void> shut_down() override { co_return; }
  std::optional<Error> unavailable() const override { return std::nullopt; }
  Isolation isolation() const override { return Isolation::kProcess; }

  std::optional<AgentUsage> usage = AgentUsage{};  // of every agent; empty: none answers
  int times_asked = 0;                             // for it, all agents together
  std::shared_ptr<Event> launching;                // waited for; null: nobody waits

 private:
  asio::any_io_executor executor_;
};

// Keeps the answer. `fail_write_at`: the peer is gone when this write comes (1 is the first).
class RecordedExchange final : public http::Exchange {
 public:
  RecordedExchange(asio::any_io_executor executor, http::Request request)
      : executor_(std::move(executor)), request_(std::move(request)) {}

  const http::Request& request() const override { return request_; }
  http::Request& request() override { return request_; }
  Task<Result<void>> respond(http::Response response) override {
    answer = std::move(response);
    ++answers;
    finished = true;
    co_return Result<void>();
  }
  Task<Result<void>> start_stream(http::Response head) override {
    answer = std::move(head);
    ++answers;
    co_return Result<void>();
  }
  Task<Result<void>> write(std::string_view bytes) override {
    if (++writes == fail_write_at) co_return make_error(ErrorType::kInternalError, "peer is gone");
    answer.body += bytes;
    if (writes == 1 && after_first_write) co_await after_first_write();
    co_return Result<void>();
  }
  Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }
  std::unique_ptr<http::PeerWatch> watch_peer(http::HalfClosed, http::PeerEvents) override {
    return nullptr;
  }
  bool wants_websocket() const override { return false; }
  Task<Result<http::WebSocket*>> accept_websocket(std::string, http::Headers) override {
    co_return make_error(ErrorType::kInternalError, "no WebSocket here");
  }
  asio::any_io_executor executor() const override { return executor_; }

  http::Response answer;
  int answers = 0;
  int writes = 0;
  int fail_write_at = 0;
  std::function<Task<void>()> after_first_write;
  bool finished = false;

 private:
  asio::any_io_executor executor_;
  http::Request request_;
};

class ManagementApiTest : public testing::Test {
 protected:
  ManagementApiTest() : backend_(loop_.get_executor()) {
    storage::LogOptions options;
    options.path = ":memory:";
    auto log = storage::MessageLog::open(loop_.get_executor(), options, Logger::silent());
    if (!log) throw std::runtime_error(log.error().explanation);
    log_ = std::move(*log);
    SessionContext shared{loop_.get_executor(), backend_, *log_, metrics_, ids_,
                          Logger::silent(),     {}};
    DirectoryOptions limits;
    limits.max_sessions = 2;
    sessions_ = std::make_unique<SessionDirectory>(std::move(shared), limits);
  }
  ~ManagementApiTest() override { run(sessions_->close_all()); }

  template <class Answer>
  Answer run(Task<Answer> task) {
    std::optional<Answer> answer;
    bool done = false;
    asio::co_spawn(loop_, std::move(task), [&](std::exception_ptr error, Answer value) {
      if (error) std::rethrow_exception(error);
      answer.emplace(std::move(value));
      done = true;
    });
    turn(done);
    return std::move(*answer);
  }
  void run(Task<void> task) {
    bool done = false;
    asio::co_spawn(loop_, std::move(task), [&](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
      done = true;
    });
    turn(done);
  }

  static NewSession wanted() {
    NewSession request;
    request.owner = "ada";
    request.stored_request = SharedBytes(R"({"jsonrpc":"2.0","id":1,"method":"session/new"})");
    request.request_id = "1";
    return request;
  }
  std::string new_session() {
    const auto made = run(sessions_->create(wanted()));
    if (!made) throw std::runtime_error(made.error().explanation);
    return (*made)->id().value();
  }

  ManagementContext context() { return {*sessions_, *log_, metrics_}; }

  RecordedExchange asked(std::string method, std::string path, http::Headers headers = {}) {
    http::Request request;
    request.method = std::move(method);
    const std::size_t mark = path.find('?');
    request.path = path.substr(0, mark);
    std::string_view rest =
        mark == std::string::npos ? "" : std::string_view(path).substr(mark + 1);
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      const std::size_t equals = pair.find('=');
      request.query.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    }
    request.headers = std::move(headers);
    request.headers.push_back({"Host", "localhost:8082"});
    return {loop_.get_executor(), std::move(request)};
  }

  http::Response ask(ManagementApi& api, std::string method, std::string path,
                     http::Headers headers = {}) {
    RecordedExchange exchange = asked(std::move(method), std::move(path), std::move(headers));
    run(api.handle(exchange));
    EXPECT_EQ(exchange.answers, 1);
    EXPECT_TRUE(exchange.finished);
    return exchange.answer;
  }
  http::Response ask(std::string method, std::string path, http::Headers headers = {}) {
    ManagementApi api(context());
    return ask(api, std::move(method), std::move(path), std::move(headers));
  }

  asio::io_context loop_{1};
  PoliteBackend backend_;
  Metrics metrics_;
  RequestIds ids_;
  std::unique_ptr<storage::MessageLog> log_;
  std::unique_ptr<SessionDirectory> sessions_;

 private:
  void turn(const bool& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    loop_.restart();
    while (!done && std::chrono::steady_clock::now() < deadline) {
      loop_.run_one_until(deadline);
    }
    if (!done) throw std::runtime_error("no answer in time");
  }
};

}  // namespace relay::management
