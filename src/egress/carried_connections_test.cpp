// The test is acp-agent-init on one side, frame by frame, and who serves the agent on the other.
#include "egress/carried_connections.hpp"

#include "base/unique_fd.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

namespace relay::egress {
namespace {

using carried::Head;
using carried::Kind;
using http::testing::eventually;
using http::testing::RawClient;

std::string frame(const Head& head, std::string_view data = {}) {
  std::string text(carried::kHeadBytes, '\0');
  carried::put(head, text.data());
  return text.append(data);
}

std::string data_frame(std::uint32_t connection, std::string_view data) {
  return frame({connection, Kind::kData, static_cast<std::uint32_t>(data.size())}, data);
}

const std::string kReadyFrame = frame({0, Kind::kReady, carried::kVersion});

std::array<UniqueFd, 2> socket_pair(int flags) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends.data()), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Gives up after ten seconds.
UniqueFd patient(UniqueFd end) {
  const timeval limit{10, 0};
  EXPECT_EQ(::setsockopt(end.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  return end;
}

class CarriedConnectionsTest : public ::testing::Test {
 protected:
  explicit CarriedConnectionsTest(std::size_t most = 4) {
    auto [ours, theirs] = socket_pair(0);
    agent_ = std::make_unique<RawClient>(patient(std::move(theirs)));
    streams_ = std::make_unique<http::Transport>(
        http::Transport::Socket(loop_, asio::generic::stream_protocol(AF_UNIX, 0), ours.release()));
    streams_->socket().non_blocking(true);
    carried_ = std::make_unique<CarriedConnections>(
        loop_.get_executor(),
        CarriedConnections::Streams{[this] { return read(); },
                                    [this](std::string_view bytes) { return write(bytes); },
                                    [this] { streams_->close(); }},
        most, [this](http::Transport::Socket socket) { admit(std::move(socket)); });
    asio::co_spawn(loop_, serve(), asio::detached);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~CarriedConnectionsTest() override {
    agent_->close();
    ended();
    work_.reset();
    thread_.join();
  }

  // What run() has returned, or "not ready".
  std::string ended() { return end_.get(); }

  // What serves the next connection that the agent has opened.
  std::unique_ptr<RawClient> next() {
    std::unique_lock lock(mutex_);
    const bool arrived =
        arrived_.wait_for(lock, std::chrono::seconds(10), [&] { return !relays_.empty(); });
    if (!arrived) throw std::runtime_error("no connection has come");
    auto relay = std::move(relays_.front());
    relays_.pop_front();
    return relay;
  }

  std::unique_ptr<RawClient> open(std::uint32_t number) {
    agent_->send(frame({number, Kind::kOpen, 0}));
    return next();
  }

  // The next frame for the agent, with its data.
  std::string said() {
    std::string text = agent_->read_exactly(carried::kHeadBytes);
    Head head;
    if (text.size() < carried::kHeadBytes || !carried::get(text.data(), head)) return text;
    if (head.kind == Kind::kData) text += agent_->read_exactly(head.length);
    return text;
  }

  std::unique_ptr<RawClient> agent_;

 private:
  Task<void> serve() {
    const bool is_ready = co_await carried_->wait_until_ready();
    std::string end = "not ready";
    if (is_ready) end = co_await carried_->run();
    promise_.set_value(end);
  }

  Task<std::string> read() {
    std::array<char, 4096> buffer{};
    while (true) {
      const http::IoStep step = streams_->try_read(buffer);
      if (step.state == http::IoState::kDone) co_return std::string(buffer.data(), step.bytes);
      if (!http::would_block(step.state)) co_return std::string();
      [[maybe_unused]] const auto waited = co_await streams_->wait(step.state);
    }
  }

  Task<bool> write(std::string_view bytes) {
    const std::array<std::string_view, 1> parts{bytes};
    const std::function<void()> nothing;
    const bool written = co_await streams_->write_all(parts, nothing);
    co_return written;
  }

  void admit(http::Transport::Socket socket) {
    socket.native_non_blocking(false);
    const std::lock_guard lock(mutex_);
    relays_.push_back(std::make_unique<RawClient>(patient(UniqueFd(socket.release()))));
    arrived_.notify_one();
  }

  asio::io_context loop_{1};
  std::unique_ptr<http::Transport> streams_;
  std::unique_ptr<CarriedConnections> carried_;
  std::promise<std::string> promise_;
  std::shared_future<std::string> end_ = promise_.get_future().share();
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::unique_ptr<RawClient>> relays_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::thread thread_;
};

TEST_F(CarriedConnectionsTest, CarriesBothWaysInWhateverPieces) {
  for (const char byte : kReadyFrame) agent_->send({&byte, 1});
  const auto first = open(1);
  const auto second = open(2);
  const std::string said_at_once = data_frame(1, "one") + data_frame(2, "two") + data_frame(1, "!");
  for (const char byte : said_at_once) agent_->send({&byte, 1});
  EXPECT_EQ(first->read_exactly(4), "one!");
  EXPECT_EQ(second->read_exactly(3), "two");
  second->send("answer");
  EXPECT_EQ(said(), data_frame(2, "answer"));
  first->send("another");
  EXPECT_EQ(said(), data_frame(1, "another"));
}

TEST_F(CarriedConnectionsTest, EachSideMayStopTalkingFirst) {
  agent_->send(kReadyFrame);
  const auto first = open(1);
  agent_->send(data_frame(1, "question") + frame({1, Kind::kEnd, 0}));
  EXPECT_EQ(first->read_all(), "question");
  first->send("answer");
  first->close();
  EXPECT_EQ(said(), data_frame(1, "answer"));
  EXPECT_EQ(said(), frame({1, Kind::kEnd, 0}));
  const auto second = open(2);
  second->send("news");
  second->shutdown_send();
  EXPECT_EQ(said(), data_frame(2, "news"));
  EXPECT_EQ(said(), frame({2, Kind::kEnd, 0}));
  agent_->send(data_frame(2, "thanks") + frame({2, Kind::kEnd, 0}));
  EXPECT_EQ(second->read_all(), "thanks");
}

TEST_F(CarriedConnectionsTest, TellTheAgentThatNobodyListens) {
  agent_->send(kReadyFrame);
  open(1)->close();
  EXPECT_EQ(said(), frame({1, Kind::kEnd, 0}));
  agent_->send(data_frame(1, "to nobody"));
  EXPECT_EQ(said(), frame({1, Kind::kStop, 0}));
  agent_->send(data_frame(1, "late") + frame({1, Kind::kEnd, 0}));
  const auto second = open(2);
  agent_->send(data_frame(2, "on"));
  EXPECT_EQ(second->read_exactly(2), "on");
}

TEST_F(CarriedConnectionsTest, AreToldThatTheAgentDoesNotListen) {
  agent_->send(kReadyFrame);
  const auto relay = open(1);
  agent_->send(data_frame(1, "bye") + frame({1, Kind::kStop, 0}));
  EXPECT_EQ(relay->read_exactly(3), "bye");
  EXPECT_TRUE(eventually([&relay] {
    return ::send(relay->fd(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  }));
}

TEST_F(CarriedConnectionsTest, SayNoMoreThanTheyHaveCreditFor) {
  agent_->send(kReadyFrame);
  const auto relay = open(1);
  const auto other = open(2);
  std::thread sending([&] { relay->send(std::string(2 * carried::kWindow, 'x')); });
  std::size_t bytes = 0;
  while (bytes < carried::kWindow) bytes += said().size() - carried::kHeadBytes;
  EXPECT_EQ(bytes, carried::kWindow);
  other->send("goes on");
  EXPECT_EQ(said(), data_frame(2, "goes on"));
  agent_->send(frame({1, Kind::kCredit, 5}));
  EXPECT_EQ(said(), data_frame(1, "xxxxx"));
  agent_->send(frame({1, Kind::kCredit, carried::kWindow}));
  while (bytes < 2 * carried::kWindow - 5) bytes += said().size() - carried::kHeadBytes;
  sending.join();
}

TEST_F(CarriedConnectionsTest, GiveCreditForWhatWasTaken) {
  agent_->send(kReadyFrame);
  const auto relay = open(1);
  const std::string block(carried::kMaxData, 'y');
  std::size_t credit = carried::kWindow;
  std::size_t sent = 0;
  while (sent < 8 * carried::kWindow) {
    while (credit >= block.size()) {
      agent_->send(data_frame(1, block));
      sent += block.size();
      credit -= block.size();
      EXPECT_EQ(relay->read_exactly(block.size()), block);
    }
    const std::string given = said();
    Head head;
    ASSERT_TRUE(carried::get(given.data(), head));
    ASSERT_EQ(head.kind, Kind::kCredit);
    credit += head.length;
    ASSERT_LE(credit, carried::kWindow);
  }
}

TEST_F(CarriedConnectionsTest, EndWithTheStreams) {
  agent_->send(kReadyFrame);
  const auto relay = open(1);
  agent_->close();
  EXPECT_EQ(relay->read_all(), "");
  EXPECT_EQ(ended(), "");
}

TEST_F(CarriedConnectionsTest, WaitForTheFirstWord) {
  agent_->send(frame({1, Kind::kOpen, 0}));
  EXPECT_EQ(ended(), "not ready");
}

TEST_F(CarriedConnectionsTest, MakeRoomBeforeTheAgentEndsItsSide) {
  agent_->send(kReadyFrame);
  for (std::uint32_t number = 1; number <= 4; ++number) {
    open(number)->close();
    EXPECT_EQ(said(), frame({number, Kind::kEnd, 0}));
  }
  for (std::uint32_t number = 5; number <= 20; ++number) {
    open(number)->close();
    EXPECT_EQ(said(), frame({number - 4, Kind::kStop, 0}));
    EXPECT_EQ(said(), frame({number, Kind::kEnd, 0}));
  }
  agent_->send(frame({1, Kind::kEnd, 0}) + frame({16, Kind::kEnd, 0}));
  EXPECT_NE(open(21), nullptr);
}

TEST_F(CarriedConnectionsTest, DoNotSpeakToOneThatDoesNotListen) {
  agent_->send(kReadyFrame);
  std::vector<std::unique_ptr<RawClient>> relays;
  for (std::uint32_t number = 1; number <= 8; ++number) relays.push_back(open(number));
  std::string more;
  for (std::uint32_t number = 9; number < 200'000; ++number) {
    more += frame({number, Kind::kOpen, 0});
  }
  agent_->send(more);
  EXPECT_EQ(ended(), "it does not take what it is told");
}

TEST_F(CarriedConnectionsTest, TakeNoMoreConnectionsThanTheyMay) {
  agent_->send(kReadyFrame);
  std::vector<std::unique_ptr<RawClient>> relays;
  for (std::uint32_t number = 1; number <= 8; ++number) relays.push_back(open(number));
  agent_->send(frame({9, Kind::kOpen, 0}));
  EXPECT_EQ(said(), frame({9, Kind::kEnd, 0}));
  EXPECT_EQ(said(), frame({9, Kind::kStop, 0}));
  agent_->send(frame({1, Kind::kEnd, 0}));
  relays[0]->close();
  EXPECT_EQ(said(), frame({1, Kind::kEnd, 0}));
  EXPECT_NE(open(10), nullptr);
}

struct Broken {
  const char* name;
  std::string said;
  std::string rule;
};

class BrokenRules : public CarriedConnectionsTest, public ::testing::WithParamInterface<Broken> {};

TEST_P(BrokenRules, EndThem) {
  agent_->send(kReadyFrame);
  const auto relay = open(5);
  agent_->send(GetParam().said);
  EXPECT_EQ(ended(), GetParam().rule);
  const std::string carried_before = relay->read_all();  // and closed
  EXPECT_EQ(carried_before.find_first_not_of('z'), std::string::npos);
}

std::string flood() {
  std::string text;
  for (int i = 0; i < 100; ++i) text += data_frame(5, std::string(carried::kMaxData, 'z'));
  return text;
}

// Without the checks of put().
std::string raw(std::uint32_t connection, int kind, std::uint32_t length) {
  return frame({connection, static_cast<Kind>(kind), length});
}

INSTANTIATE_TEST_SUITE_P(
    Table, BrokenRules,
    ::testing::Values(Broken{"kind_0", raw(5, 0, 0), "what it says is no frame"},
                      Broken{"kind_7", raw(5, 7, 0), "what it says is no frame"},
                      Broken{"no_data", raw(5, 3, 0), "what it says is no frame"},
                      Broken{"too_much_data", raw(5, 3, carried::kMaxData + 1),
                             "what it says is no frame"},
                      Broken{"no_credit", raw(5, 6, 0), "what it says is no frame"},
                      Broken{"length_of_end", raw(5, 4, 1), "what it says is no frame"},
                      Broken{"ready_twice", raw(0, 1, 1), "it says twice that it is ready"},
                      Broken{"number_again", raw(5, 2, 0), "it numbers two connections alike"},
                      Broken{"older_number", raw(4, 2, 0), "it numbers two connections alike"},
                      Broken{"stop_twice", raw(5, 5, 0) + raw(5, 5, 0), "it stops one twice"},
                      Broken{"end_twice", raw(5, 4, 0) + raw(5, 4, 0), "it ends one twice"},
                      Broken{"credit", raw(5, 6, 1), "it gives more credit than it has"},
                      Broken{"flood", flood(), "it sends more than it may"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CarriedFrames, AreReadAsTheyAreWritten) {
  for (const Head& head : {Head{0, Kind::kReady, carried::kVersion}, Head{1, Kind::kOpen, 0},
                           Head{0xffffffff, Kind::kData, carried::kMaxData},
                           Head{0x01020304, Kind::kCredit, carried::kWindow}}) {
    Head read;
    ASSERT_TRUE(carried::get(frame(head).data(), read));
    EXPECT_EQ(read.connection, head.connection);
    EXPECT_EQ(read.kind, head.kind);
    EXPECT_EQ(read.length, head.length);
  }
}

}  // namespace
}  // namespace relay::egress
