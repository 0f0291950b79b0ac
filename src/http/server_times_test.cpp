// How long a server waits for its clients. Each test has one short limit.
#include "http/server.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::RawClient;
using testing::RunningServer;
using ::testing::StartsWith;

Task<void> answer_empty(Exchange& exchange) {
  Response response;
  const Result<void> sent = co_await exchange.respond(std::move(response));
}

// Limits that no test meets, however busy the machine is.
ServerOptions patient_server() {
  ServerOptions options;
  options.header_timeout = 60s;
  options.pace.pause = 60s;
  options.keep_alive_timeout = 60s;
  return options;
}

TEST(ServerTimes, EndsSlowHeads) {
  ServerOptions options = patient_server();
  options.header_timeout = 60ms;
  RunningServer server(options, answer_empty);
  std::string answer;
  // One whose first byte comes too late as well is ended without a word.
  EXPECT_TRUE(eventually([&] {
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHos");
    answer = client.read_all();
    return !answer.empty();
  }));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408"));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(ServerTimes, EndsSlowBodies) {
  ServerOptions options = patient_server();
  options.pace.pause = 60ms;
  RunningServer server(options, answer_empty);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 408"));
  client.close();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(ServerTimes, EndsIdleConnections) {
  ServerOptions options = patient_server();
  options.keep_alive_timeout = 120ms;
  RunningServer server(options, answer_empty);
  RawClient idle(server.port());
  EXPECT_EQ(idle.read_all(), "");
  std::optional<RawClient> kept;
  std::string answer;
  // One whose first byte comes too late is idle, too.
  EXPECT_TRUE(eventually([&] {
    kept.emplace(server.port());
    kept->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    answer = kept->read_answer();
    return !answer.empty();
  }));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(kept->read_all(), "");
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

// It is idle, and does not begin a request that the server would have to refuse.
TEST(ServerTimes, SaysNothingToAnEmptyLineBehindARequest) {
  ServerOptions options = patient_server();
  options.keep_alive_timeout = 120ms;
  options.header_timeout = 500ms;
  RunningServer server(options, answer_empty);
  std::optional<RawClient> kept;
  std::string answer;
  EXPECT_TRUE(eventually([&] {
    kept.emplace(server.port());
    kept->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody\r\n");
    answer = kept->read_answer();
    return !answer.empty();
  }));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(kept->read_all(), "");
}

TEST(ServerTimes, EndsAConnectionWhosePeerNeverReads) {
  ServerOptions options;
  options.pace.pause = 80ms;
  std::atomic<bool> asked = false;
  RunningServer server(options, [&](Exchange& exchange) -> Task<void> {
    asked = true;
    Response response;
    response.body = std::string(30u << 20, 'x');
    const Result<void> sent = co_await exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return asked.load(); }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

}  // namespace
}  // namespace relay::http
