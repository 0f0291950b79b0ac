// How connections of both WebSocket dialects end: by themselves, by a cancellation, and while the
// log is behind.
#include "base/finally.hpp"
#include "frontend/acp/acp_websocket.hpp"
#include "frontend/held_exchange.hpp"
#include "frontend/log_room.hpp"
#include "frontend/relay_websocket.hpp"
#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::frontend {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A peer that says what the test has it say.
class ToldSocket final : public http::WebSocket {
 public:
  explicit ToldSocket(const asio::any_io_executor& executor)
      : said_(executor), released_(executor) {}

  Task<std::vector<std::string>> receive() override {
    while (texts.empty() && !gone) {
      const bool notified = co_await said_.wait();
      if (failure) std::rethrow_exception(failure);
      if (received) received();
      if (!notified) break;
    }
    co_return std::exchange(texts, {});
  }
  Task<Result<void>> send(std::span<const std::string_view> messages) override {
    is_sending = true;
    const Finally sent([this] { is_sending = false; });
    got.insert(got.end(), messages.begin(), messages.end());
    if (holds) co_await released_.wait();
    co_return Result<void>();
  }
  Task<void> close(http::CloseCode, std::string) override { co_return; }
  bool peer_has_gone() const override { return gone; }
  const std::string& peer() const override { return name_; }

  void say(std::string text) {
    texts.push_back(std::move(text));
    said_.notify();
  }
  void fail() {
    failure = std::make_exception_ptr(std::runtime_error("boom"));
    said_.notify();
  }

  std::vector<std::string> texts;  // not received yet
  std::vector<std::string> got;
  std::exception_ptr failure;
  std::function<void()> received;  // a message, which is not handed on yet
  bool gone = false;
  bool holds = false;  // what is sent waits
  bool is_sending = false;

 private:
  Wakeup said_;
  Wakeup released_;
  std::string name_ = "a test";
};

enum class Dialect { kRelay, kAcp };

// With a log that catches up only when it is flushed.
class LogBehind : public SessionFixture {
 protected:
  void SetUp() override {
    options_.max_log_pending_bytes = 0;
    storage::LogOptions log_options;
    log_options.path = ":memory:";
    log_options.group_commit = std::chrono::hours(1);
    auto log = storage::MessageLog::open(io_.get_executor(), log_options, Logger::silent());
    ASSERT_TRUE(log);
    log_ = std::move(*log);
    backend_.emplace(io_.get_executor(), agent_, Logger::silent());
    SessionContext context{io_.get_executor(), *backend_,        *log_,   metrics_,
                           request_ids_,       Logger::silent(), options_};
    sessions_ = std::make_unique<SessionDirectory>(std::move(context), limits_);
    api_.emplace(*sessions_, ApiOptions{});
  }

  // Until everybody waits.
  void go_on() {
    io_.restart();
    io_.poll();
  }
  void put_log_behind() {
    storage::SessionRecord session;
    session.id = SessionId("filler");
    log_->session_created(std::move(session));
    storage::MessageRecord message;
    message.sequence = 1;
    message.body = SharedBytes(std::string(10'000, 'x'));
    log_->record(SessionId("filler"), std::move(message));
    ASSERT_TRUE(sessions_->log_is_behind());
  }

  std::optional<RelayApi> api_;
  bool ended_ = false;
};

class WebSocketEnd : public LogBehind, public ::testing::WithParamInterface<Dialect> {
 protected:
  void start() {
    asio::co_spawn(io_, serve(),
                   asio::bind_cancellation_slot(stop_.slot(), [this](std::exception_ptr thrown) {
                     failure_ = thrown;
                     ended_ = true;
                   }));
    go_on();
    EXPECT_FALSE(ended_);
  }
  Task<void> serve() {
    if (GetParam() == Dialect::kRelay) {
      WebSocketClient client(*api_, metrics_, relay_options_, socket_, {}, io_.get_executor());
      co_await client.run();
    } else {
      AcpWebSocket client(*api_, metrics_, acp_options_, socket_, {}, io_.get_executor());
      co_await client.run();
    }
  }
  // The client gets an error for it.
  void say_nonsense() { socket_.say("nonsense"); }
  // It has said something twice, and was answered once.
  void hold_back() {
    start();
    put_log_behind();
    say_nonsense();
    run_until([&] { return socket_.got.size() == 1; });
    say_nonsense();
    go_on();
    EXPECT_THAT(socket_.got, SizeIs(1));
  }

  WebSocketFrontendOptions relay_options_;
  AcpOptions acp_options_;
  ToldSocket socket_{io_.get_executor()};
  asio::cancellation_signal stop_;
  std::exception_ptr failure_;
};

TEST_P(WebSocketEnd, ComesToAClientThatHasGoneWhileTheLogIsBehind) {
  hold_back();
  EXPECT_THAT(socket_.texts, SizeIs(1));
  socket_.gone = true;
  run_until([&] { return ended_; });
  EXPECT_FALSE(failure_);
  EXPECT_TRUE(sessions_->log_is_behind());
  EXPECT_THAT(socket_.texts, IsEmpty()) << "its last words are heard";
}

TEST_P(WebSocketEnd, HoldsAClientBackUntilTheLogHasCaughtUp) {
  hold_back();
  run_void(log_->flush());
  run_until([&] { return socket_.got.size() == 2; });
  socket_.gone = true;
  socket_.say("");
  run_until([&] { return ended_; });
}

TEST_P(WebSocketEnd, LeavesNothingWhereItIsCancelledAsAMessageComes) {
  start();
  socket_.holds = true;
  say_nonsense();
  go_on();
  EXPECT_TRUE(socket_.is_sending);
  socket_.received = [this] { stop_.emit(asio::cancellation_type::terminal); };
  say_nonsense();
  go_on();
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(failure_);
  EXPECT_FALSE(socket_.is_sending);
}

TEST_P(WebSocketEnd, LeavesNothingWhereSomethingIsThrown) {
  start();
  socket_.holds = true;
  say_nonsense();
  go_on();
  EXPECT_TRUE(socket_.is_sending);
  socket_.fail();
  go_on();
  EXPECT_TRUE(ended_);
  EXPECT_THROW(std::rethrow_exception(failure_), std::runtime_error);
  EXPECT_FALSE(socket_.is_sending);
}

TEST_P(WebSocketEnd, ComesWhereTheWaitForTheLogIsCancelled) {
  start();
  put_log_behind();
  say_nonsense();
  run_until([&] { return socket_.got.size() == 1; });
  stop_.emit(asio::cancellation_type::terminal);
  run_until([&] { return ended_; });
  EXPECT_FALSE(socket_.is_sending);
}

INSTANTIATE_TEST_SUITE_P(OfBoth, WebSocketEnd, ::testing::Values(Dialect::kRelay, Dialect::kAcp));

TEST_F(LogBehind, HoldsNoRequestWhosePeerHasGone) {
  put_log_behind();
  HeldExchange exchange(io_.get_executor());
  asio::co_spawn(io_, log_room(*sessions_, exchange),
                 [this](std::exception_ptr) { ended_ = true; });
  go_on();
  EXPECT_FALSE(ended_);
  ASSERT_TRUE(exchange.gone);
  exchange.gone();
  run_until([&] { return ended_; });
  EXPECT_TRUE(sessions_->log_is_behind());
}

}  // namespace
}  // namespace relay::frontend
