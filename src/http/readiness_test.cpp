#include "http/readiness.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Socket = asio::local::stream_protocol::socket;

class ReadinessTest : public ::testing::Test {
 protected:
  ReadinessTest() {
    Socket ours(loop_);
    asio::local::connect_pair(ours, peer_);
    transport_.emplace(std::move(ours));
    readiness_.emplace(*transport_);
  }

  void turn() {
    loop_.restart();
    loop_.poll();
  }
  void say_something() { asio::write(peer_, asio::buffer("x", 1)); }
  void hear_it() {
    std::array<char, 16> buffer{};
    EXPECT_EQ(transport_->try_read(buffer).state, IoState::kDone);
  }
  void start_to_wait() {
    const auto body = [this]() -> Task<void> {
      const bool ready = co_await readiness_->wait(IoState::kWaitRead);
      seen_.push_back(ready ? "ready" : "gave up");
    };
    asio::co_spawn(loop_, body, asio::bind_cancellation_slot(stop_.slot(), asio::detached));
    turn();
  }
  void call() {
    readiness_->call([this](bool ready) { seen_.push_back(ready ? "called" : "called off"); });
    turn();
  }

  asio::io_context loop_{1};
  Socket peer_{loop_};
  std::optional<Transport> transport_;
  std::optional<Readiness> readiness_;
  asio::cancellation_signal stop_;
  std::vector<std::string> seen_;
};

TEST_F(ReadinessTest, TellsACoroutineAndAFunction) {
  start_to_wait();
  EXPECT_THAT(seen_, IsEmpty());
  say_something();
  turn();
  hear_it();
  call();
  peer_.close();  // its end is read, too
  turn();
  EXPECT_THAT(seen_, ElementsAre("ready", "called"));
}

TEST_F(ReadinessTest, IsAskedAgainByWhoIsToldWithinTheSameTurn) {
  std::size_t turns = 0;
  std::function<void(bool)> ask_again = [&](bool ready) {
    seen_.push_back(ready ? "called" : "called off");
    hear_it();
    if (++turns < 3) readiness_->call(ask_again);
  };
  readiness_->call(ask_again);
  const auto body = [this]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      const bool ready = co_await readiness_->wait(IoState::kWaitRead);
      seen_.push_back(ready ? "ready" : "gave up");
      hear_it();
    }
  };
  for (int i = 0; i < 3; ++i) {
    say_something();
    turn();
  }
  asio::co_spawn(loop_, body, asio::detached);
  for (int i = 0; i < 3; ++i) {
    turn();
    say_something();
    turn();
  }
  EXPECT_THAT(seen_, ElementsAre("called", "called", "called", "ready", "ready", "ready"));
}

TEST_F(ReadinessTest, TellsOfWhatIsThereAlready) {
  say_something();
  call();
  call();
  EXPECT_THAT(seen_, ElementsAre("called", "called"));
}

TEST_F(ReadinessTest, HandsItsWaitOnToWhoAsksNext) {
  call();
  readiness_->forget();
  start_to_wait();
  EXPECT_THAT(seen_, IsEmpty());
  say_something();
  turn();
  EXPECT_THAT(seen_, ElementsAre("ready"));
}

TEST_F(ReadinessTest, TellsNobodyWhoHasLostInterest) {
  call();
  readiness_->forget();
  say_something();
  turn();
  EXPECT_THAT(seen_, IsEmpty());
  start_to_wait();  // of what came meanwhile
  EXPECT_THAT(seen_, ElementsAre("ready"));
}

TEST_F(ReadinessTest, GivesUpWithTheCoroutine) {
  start_to_wait();
  stop_.emit(asio::cancellation_type::terminal);
  turn();
  EXPECT_THAT(seen_, ElementsAre("gave up"));
  say_something();
  start_to_wait();
  EXPECT_THAT(seen_, ElementsAre("gave up", "ready"));
}

TEST_F(ReadinessTest, GivesUpWithTheTransportsWaits) {
  start_to_wait();
  transport_->cancel();
  turn();
  call();
  transport_->close();
  turn();
  EXPECT_THAT(seen_, ElementsAre("gave up", "called off"));
}

TEST(Readiness, GoesWithTheLoopAndTakesTheCoroutineAlong) {
  struct Connection {
    explicit Connection(Socket socket) : transport(std::move(socket)) {}
    Transport transport;
    Readiness readiness{transport};
  };
  auto loop = std::make_unique<asio::io_context>(1);
  auto peer = std::make_unique<Socket>(*loop);
  Socket ours(*loop);
  asio::local::connect_pair(ours, *peer);
  auto connection = std::make_shared<Connection>(std::move(ours));
  const std::weak_ptr<Connection> alive = connection;
  auto body = [connection]() -> Task<void> {
    co_await connection->readiness.wait(IoState::kWaitRead);
  };
  connection.reset();
  asio::co_spawn(*loop, std::move(body), asio::detached);
  loop->poll();
  EXPECT_FALSE(alive.expired());
  peer.reset();
  loop.reset();
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace relay::http
