#include "egress/broker.hpp"

#include "base/unique_fd.hpp"
#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <unistd.h>

namespace relay::egress {
namespace {

namespace fs = std::filesystem;
using http::testing::run;
using http::testing::RunningServer;
using ::testing::HasSubstr;

// Says which credential came.
Task<void> tell_credential(http::Exchange& exchange) {
  http::Response response;
  response.body = std::string(exchange.request().header("X-Own"));
  if (response.body == "old") response.status = 401;
  const Result<void> sent = co_await exchange.respond(std::move(response));
  if (!sent) co_return;
}

class BrokerTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }

  void write_key(const std::string& text) const { std::ofstream(key_file_) << text; }

  BrokerOptions options() const {
    BrokerOptions made;
    for (const char* name : {"one", "two"}) {
      Upstream upstream;
      upstream.name = name;
      upstream.endpoint =
          *http::Endpoint::parse("http://127.0.0.1:" + std::to_string(server_.port()));
      upstream.credential = {CredentialPlace::Kind::kHeader, "X-Own", ""};
      made.upstreams.push_back(upstream);
    }
    made.credentials["one"] = {"value", "", {}, {}};
    made.credentials["two"] = {"", key_file_, {}, std::chrono::hours(1), {}};
    return made;
  }

  static Task<Result<http::Response>> get(std::string socket, std::string target) {
    const auto executor = co_await asio::this_coro::executor;
    http::Endpoint endpoint;
    endpoint.transport = http::Endpoint::Transport::kUnix;
    endpoint.socket_path = std::move(socket);
    http::Client client(executor, endpoint, {});
    http::Request request;
    request.target = std::move(target);
    co_return co_await client.request(std::move(request));
  }

  // Of the answer to a request; empty: the connection is closed.
  static Task<std::string> first_line(UniqueFd end) {
    const auto executor = co_await asio::this_coro::executor;
    http::Transport agent(http::Transport::Socket(
        executor, asio::generic::stream_protocol(AF_UNIX, 0), end.release()));
    agent.socket().non_blocking(true);
    const std::array<std::string_view, 1> request{"GET /one/ HTTP/1.1\r\nHost: x\r\n\r\n"};
    const std::function<void()> nothing;
    [[maybe_unused]] const bool written = co_await agent.write_all(request, nothing);
    std::array<char, 1024> buffer{};
    http::IoStep step = agent.try_read(buffer);
    while (http::would_block(step.state)) {
      [[maybe_unused]] const auto waited = co_await agent.wait(step.state);
      step = agent.try_read(buffer);
    }
    const std::string_view text(buffer.data(), step.bytes);
    co_return std::string(text.substr(0, text.find('\r')));
  }

  static Task<int> status(egress::AgentAddress address, std::string key) {
    const auto executor = co_await asio::this_coro::executor;
    http::Client client(executor, *http::Endpoint::parse(address.url), {});
    http::Request request;
    request.target = "/one/";
    request.headers = {{"Authorization", "Bearer " + key}};
    const auto answer = co_await client.request(std::move(request));
    co_return answer ? answer->status : 0;
  }

  const std::string directory_ =
      ::testing::TempDir() + "relay_broker_" + std::to_string(::getpid());
  const std::string key_file_ = directory_ + "/key";
  const std::string socket_ = directory_ + "/broker.sock";
  const SessionId session_{"sess_1"};
  RunningServer server_{{}, tell_credential};

  // A session is closed while its request waits for an upstream that says nothing.
  void close_while_it_asks(bool went_out);
};

TEST_F(BrokerTest, GivesEachUpstreamItsCredentialAndCountsForTheSession) {
  write_key(" from-file\n");
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Broker broker(executor, options(), nullptr, Logger::silent());
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one", "two"}, {}}));
    const auto one = co_await get(socket_, "/one/");
    const auto two = co_await get(socket_, "/two/");
    const auto three = co_await get(socket_, "/three/");
    EXPECT_EQ(one->body, "value");
    EXPECT_EQ(two->body, "from-file");
    EXPECT_EQ(three->status, 403);
    const SpentByUpstream spent = broker.spent(session_);
    EXPECT_EQ(spent.at("one").requests, 1U);
    EXPECT_EQ(spent.at("two").received_bytes, 9U);
    EXPECT_EQ(spent.at("").requests, 0U);
    EXPECT_EQ(spent.at("").failed, 1U);
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, LetsASessionReachOnlyWhatItsAgentMay) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Broker broker(executor, options(), nullptr, Logger::silent());
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto other = co_await get(socket_, "/two/");
    EXPECT_EQ(other->status, 403);
    EXPECT_THAT(other->body, HasSubstr("it has one"));
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, EndsWhatASessionMayUse) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BrokerOptions limited = options();
    limited.budgets["one"].requests = 1;
    Broker broker(executor, limited, nullptr, Logger::silent());
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto first = co_await get(socket_, "/one/");
    const auto second = co_await get(socket_, "/one/");
    EXPECT_EQ(first->status, 200);
    EXPECT_EQ(second->status, 429);
    EXPECT_THAT(second->body, HasSubstr("egress.upstreams.one.budget.requests"));
    const SessionId other("sess_2");
    EXPECT_TRUE(broker.open(other, directory_ + "/other.sock", Reach{{"one"}, {}}));
    const auto of_other = co_await get(directory_ + "/other.sock", "/one/");
    EXPECT_EQ(of_other->status, 200);
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, GoesOnWithWhatASessionUsedBefore) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BrokerOptions limited = options();
    limited.budgets["one"].requests = 2;
    SpentByUpstream told;
    Broker broker(
        executor, limited,
        [&told](const SessionId&, const Account&, const SpentByUpstream& spent) { told = spent; },
        Logger::silent());
    SpentByUpstream before;
    before["one"].requests = 1;
    broker.restore(session_, before);
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto first = co_await get(socket_, "/one/");
    EXPECT_EQ(first->status, 200);
    broker.restore(session_, {});
    const auto second = co_await get(socket_, "/one/");
    EXPECT_EQ(second->status, 429);
    EXPECT_EQ(told["one"].requests, 2U);
    EXPECT_EQ(told["one"].failed, 1U);
    co_await broker.shut_down();
    EXPECT_EQ(broker.connections(), 0U);
  });
}

// As an agent does that takes the place of one which can't be ended.
TEST_F(BrokerTest, GoesOnWithWhatIsUsedWhereADoorTakesThePlaceOfAnother) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BrokerOptions limited = options();
    limited.budgets["one"].requests = 1;
    Broker broker(executor, limited, nullptr, Logger::silent());
    SpentByUpstream before;
    before["one"].requests = 1;
    broker.restore(session_, before);
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto answer = co_await get(socket_, "/one/");
    EXPECT_EQ(answer->status, 429);
    EXPECT_FALSE(broker.open(session_, "/nowhere/there.sock", Reach{{"one"}, {}}));
    co_await broker.shut_down();
    EXPECT_TRUE(broker.spent(session_).empty()) << "no door is left";
  });
}

// So that sessions whose agents have ended take nothing.
TEST_F(BrokerTest, RecallsWhatASessionUsedBeforeItsDoorWasClosed) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    SpentByUpstream told;
    std::size_t recalled = 0;
    BrokerOptions limited = options();
    limited.budgets["one"].requests = 1;
    limited.spent_before = [&](const SessionId&) -> Task<Result<SpentByUpstream>> {
      ++recalled;
      co_return told;
    };
    Broker broker(
        executor, limited,
        [&told](const SessionId&, const Account&, const SpentByUpstream& spent) { told = spent; },
        Logger::silent());
    const auto none = co_await broker.recall(session_);
    EXPECT_TRUE(none && broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto first = co_await get(socket_, "/one/");
    EXPECT_EQ(first->status, 200);
    broker.close(session_);
    const auto at_once = co_await broker.recall(session_);
    EXPECT_TRUE(at_once && broker.open(session_, socket_, Reach{{"one"}, {}}));
    EXPECT_EQ(recalled, 1U) << "it is known still";
    broker.close(session_);
    while (!broker.spent(session_).empty()) {
      [[maybe_unused]] const bool passed = co_await sleep_for(std::chrono::milliseconds(1));
    }
    const auto later = co_await broker.recall(session_);
    EXPECT_TRUE(later && broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto second = co_await get(socket_, "/one/");
    EXPECT_EQ(second->status, 429);
    EXPECT_EQ(recalled, 2U);
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, AsksOnceMoreWithASecretThatHasBeenRenewed) {
  write_key("old\n");
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Broker broker(executor, options(), nullptr, Logger::silent());
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"two"}, {}}));
    const auto refused = co_await get(socket_, "/two/");
    EXPECT_EQ(refused->status, 401);
    write_key("new\n");
    const auto taken = co_await get(socket_, "/two/");
    EXPECT_EQ(taken->body, "new");
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, ClosesAndOpensAtAnyPath) {
  const std::string deep = directory_ + "/" + std::string(120, 'd');
  fs::create_directories(deep);
  run([this, deep]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Broker broker(executor, options(), nullptr, Logger::silent());
    EXPECT_TRUE(broker.open(session_, deep + "/broker.sock", Reach{{"one"}, {}}));
    EXPECT_TRUE(fs::is_socket(deep + "/broker.sock"));
    EXPECT_EQ(fs::status(deep + "/broker.sock").permissions(), fs::perms(0666));
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    broker.close(session_);
    const auto gone = co_await get(socket_, "/one/");
    EXPECT_FALSE(gone);
    EXPECT_FALSE(broker.open(session_, directory_ + "/nowhere/broker.sock", Reach{{"one"}, {}}));
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    const auto again = co_await get(socket_, "/one/");
    EXPECT_EQ(again->body, "value");
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, ServesConnectionsThatAreBroughtToIt) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Broker broker(executor, options(), nullptr, Logger::silent());
    const auto status_of_one = [&broker, executor, this] {
      std::array<int, 2> ends{};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
      const asio::generic::stream_protocol protocol(AF_UNIX, 0);
      broker.admit(session_, http::Transport::Socket(executor, protocol, ends[0]));
      return first_line(UniqueFd(ends[1]));
    };
    const std::string before = co_await status_of_one();
    broker.open(session_, Reach{{"one"}, {}});
    const std::string open = co_await status_of_one();
    EXPECT_EQ(broker.spent(session_).at("one").requests, 1U);
    broker.close(session_);
    const std::string after = co_await status_of_one();
    EXPECT_EQ(before, "");
    EXPECT_EQ(open, "HTTP/1.1 200 OK");
    EXPECT_EQ(after, "");
    co_await broker.shut_down();
  });
}

TEST_F(BrokerTest, GivesAProcessAPortAndAKeyOfItsOwn) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BrokerOptions of_run = options();
    of_run.token_start = "start-";
    Broker broker(executor, of_run, nullptr, Logger::silent());
    auto one = broker.open_loopback(session_, Reach{{"one"}, {}});
    auto two = broker.open_loopback(SessionId("sess_2"), Reach{{"one"}, {}});
    EXPECT_TRUE(one && two);
    EXPECT_TRUE(one->address.key.starts_with("start-"));
    EXPECT_NE(one->address.key, two->address.key);
    const int own = co_await status(one->address, one->address.key);
    const int of_other = co_await status(one->address, two->address.key);
    const int without = co_await status(one->address, "");
    EXPECT_EQ(own, 200);
    EXPECT_EQ(of_other, 401);
    EXPECT_EQ(without, 401);
    EXPECT_EQ(broker.spent(session_).at("one").requests, 1U);
    // Another agent of the session takes the place of the first one, which ends later.
    auto next = broker.open_loopback(session_, Reach{{"one"}, {}});
    EXPECT_TRUE(next);
    one->open.reset();
    const int open = co_await status(next->address, next->address.key);
    next->open.reset();
    const int closed = co_await status(next->address, next->address.key);
    EXPECT_EQ(open, 200);
    EXPECT_EQ(closed, 0);
    co_await broker.shut_down();
    two->open.reset();
  });
}

// Streams are still under way when their session is closed.
void BrokerTest::close_while_it_asks(bool went_out) {
  http::testing::RawServer silent;
  run([this, &silent, went_out]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BrokerOptions waiting = options();
    waiting.upstreams[0].endpoint =
        *http::Endpoint::parse("http://127.0.0.1:" + std::to_string(silent.port()));
    std::size_t told = 0;
    Broker broker(
        executor, waiting,
        [&told, went_out](const SessionId&, const Account&, const SpentByUpstream& spent) {
          ++told;
          const auto requests = spent.at("one").requests;
          EXPECT_LE(requests, 1U);
          EXPECT_TRUE(requests == 1 || !went_out) << "all of it, also when it is over later";
        },
        Logger::silent());
    EXPECT_TRUE(broker.open(session_, socket_, Reach{{"one"}, {}}));
    TaskScope asking(executor, ignore_failure);
    asking.spawn("ask", [this]() -> Task<void> {
      [[maybe_unused]] const auto cut = co_await get(socket_, "/one/");
    });
    while (!silent.has_connection()) {
      [[maybe_unused]] const bool passed = co_await sleep_for(std::chrono::milliseconds(1));
    }
    const auto peer = silent.accept();
    char byte = 0;
    while (went_out && ::recv(peer->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
      [[maybe_unused]] const bool passed = co_await sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(broker.spent(session_).at("one").requests, 1U);
    broker.close(session_);
    co_await asking.join();
    co_await broker.shut_down();
    EXPECT_EQ(told, 1U);
    EXPECT_TRUE(broker.spent(session_).empty());
  });
}

TEST_F(BrokerTest, ForgetsASessionWhenWhatItDoesIsOver) { close_while_it_asks(true); }

// The upstream's side has taken the connection, of which the broker may not know yet.
TEST_F(BrokerTest, ForgetsASessionThatIsJustConnected) { close_while_it_asks(false); }

}  // namespace
}  // namespace relay::egress
