// That a connection leaves others their turns of the loop, however fast its peer is.
#include "http/client_connection.hpp"
#include "http/server.hpp"
#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <semaphore>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using testing::eventually;
using testing::RawClient;
using testing::run;
using testing::RunningServer;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

Task<void> say_nothing(Exchange& exchange) {
  Response response;
  const Result<void> sent = co_await exchange.respond(std::move(response));
}

// How much was done at most between two turns of somebody else, from the first look on.
struct Turns {
  void look(const asio::any_io_executor& executor) {
    const std::uint64_t now = so_far();
    most = std::max(most, now - std::exchange(seen, now));
    if (looks) asio::post(executor, [this, executor] { look(executor); });
  }

  std::function<std::uint64_t()> so_far;
  std::atomic<bool> looks = true;
  std::uint64_t seen = 0;
  std::uint64_t most = 0;
};

class ServerTurns : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -keyout " +
        files_.private_key + " -out " + files_.certificate_chain + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    over_tls_.tls = files_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Sends each as a TLS record of its own, says so, and reads until there are so many answers.
  std::string talk(std::uint16_t port, const std::vector<std::string>& records, int answers) {
    std::string received;
    run([&]() -> Task<void> {
      const auto executor = co_await asio::this_coro::executor;
      Endpoint endpoint;
      endpoint.transport = Endpoint::Transport::kTls;
      endpoint.host = "127.0.0.1";
      endpoint.port = port;
      endpoint.verify_peer = false;
      auto connected = co_await ClientConnection::connect(executor, endpoint, 60s);
      EXPECT_TRUE(connected);
      if (!connected) co_return;
      for (const std::string& record : records) {
        const Result<void> sent = co_await (*connected)->write_raw(record);
      }
      all_sent_.release();
      for (std::size_t at = 0; answers > 0; --answers) {
        while (received.find("\r\n\r\n", at) == std::string::npos) {
          const Result<std::string> part = co_await (*connected)->read_raw();
          if (!part || part->empty()) co_return;
          received += *part;
        }
        at = received.find("\r\n\r\n", at) + 4;
      }
    });
    return received;
  }

  const std::string directory_ =
      ::testing::TempDir() + "relay_server_turns_" + std::to_string(::getpid());
  const TlsFiles files_{directory_ + "/cert.pem", directory_ + "/key.pem"};
  ServerOptions over_tls_;
  std::counting_semaphore<> all_sent_{0};
};

TEST_F(ServerTurns, AreThereBesideRequestsThatComeAtOnce) {
  constexpr std::uint64_t kRequests = 5'000;
  std::uint64_t answered = 0;
  Turns turns;
  turns.so_far = [&answered] { return answered; };
  {
    RunningServer server({}, [&](Exchange& exchange) -> Task<void> {
      if (answered++ == 0) turns.look(exchange.executor());
      co_await say_nothing(exchange);
    });
    RawClient client(server.port());
    std::thread asking([&client] {
      std::string requests;
      for (std::uint64_t i = 0; i < kRequests; ++i) requests += kGet;
      client.send(requests);
      client.shutdown_send();
    });
    const std::string answers = client.read_all();
    asking.join();
    EXPECT_THAT(answers, EndsWith("\r\n\r\n"));
    turns.looks = false;
  }
  EXPECT_EQ(answered, kRequests);
  EXPECT_LE(turns.most, 2U);
}

// The first one holds the loop up until all the others are there.
TEST_F(ServerTurns, AreThereBesideRequestsInRecordsOfTheirOwn) {
  constexpr int kRequests = 200;
  std::uint64_t answered = 0;
  Turns turns;
  turns.so_far = [&answered] { return answered; };
  {
    RunningServer server(over_tls_, [&](Exchange& exchange) -> Task<void> {
      if (answered++ == 0) {
        turns.look(exchange.executor());
        all_sent_.acquire();
      }
      co_await say_nothing(exchange);
    });
    talk(server.port(), std::vector<std::string>(kRequests, std::string(kGet)), kRequests);
    turns.looks = false;
  }
  EXPECT_EQ(answered, std::uint64_t{kRequests});
  EXPECT_LE(turns.most, 2U);
}

// A body, each byte of it in a record of its own.
std::vector<std::string> drops(std::size_t bytes) {
  std::vector<std::string> records(bytes, "b");
  records.insert(records.begin(), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                                      std::to_string(bytes) + "\r\n\r\n");
  return records;
}

TEST_F(ServerTurns, AreThereBesideABodyThatIsThereAlready) {
  constexpr std::size_t kBytes = 600;
  const auto budget = std::make_shared<BodyBudget>(kBytes);
  over_tls_.body_budget = budget;
  over_tls_.judge_head = [this](const Request&) {
    all_sent_.acquire();
    return HeadVerdict();
  };
  std::uint64_t answered_bytes = 0;
  Turns turns;
  turns.so_far = [&] { return answered_bytes + budget->used(); };
  {
    RunningServer server(over_tls_, [&](Exchange& exchange) -> Task<void> {
      if (exchange.request().method == "GET") turns.look(exchange.executor());
      answered_bytes += exchange.request().body.size();
      co_await say_nothing(exchange);
    });
    std::vector<std::string> records = drops(kBytes);
    records.insert(records.begin(), std::string(kGet));
    talk(server.port(), records, 2);
    turns.looks = false;
  }
  EXPECT_EQ(answered_bytes, kBytes);
  EXPECT_LE(turns.most, 130U);
}

// Its deadline is over before it has begun.
TEST_F(ServerTurns, ShowThatABodyIsLateForWhichNobodyWaits) {
  over_tls_.pace.total = 0ms;
  over_tls_.judge_head = [this](const Request&) {
    all_sent_.acquire();
    return HeadVerdict();
  };
  RunningServer server(over_tls_, say_nothing);
  const std::vector<std::string> records = drops(600);
  std::string answer;
  EXPECT_TRUE(eventually([&] {
    answer = talk(server.port(), records, 1);
    return !answer.starts_with("HTTP/1.1 200 ");
  }));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
}

}  // namespace
}  // namespace relay::http
