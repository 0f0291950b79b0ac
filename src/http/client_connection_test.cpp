#include "http/client_connection.hpp"

#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace relay::http {
namespace {

using ::testing::HasSubstr;
using testing::RawServer;
using testing::run;

TEST(ResponseParser, RefusesWhatOthersMayReadInAnotherWay) {
  struct Case {
    std::string_view head;
    ParseState state;
  };
  for (const Case& row : {
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ParseState::kHead},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked \r\n\r\n", ParseState::kHead},
           Case{"HTTP/1.1 100 Continue\r\n\r\n", ParseState::kDone},
           Case{"HTTP/1.1 099 Early\r\n\r\n", ParseState::kFailed},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ParseState::kFailed},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ParseState::kFailed},
           Case{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ParseState::kFailed},
       }) {
    ResponseParser parser(1 << 10, 1 << 10, false);
    EXPECT_EQ(parser.feed(row.head).state, row.state) << row.head;
  }
}

// The number of the error, or 0 for an answer, behind so many that are none yet.
std::int64_t read_behind(int interim) {
  std::int64_t number = -1;
  RawServer server;
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    const Endpoint endpoint = *Endpoint::parse("http://127.0.0.1:" + std::to_string(server.port()));
    auto connected =
        co_await ClientConnection::connect(executor, endpoint, std::chrono::seconds(10));
    const auto peer = server.accept();
    for (int i = 0; i < interim; ++i) peer->send("HTTP/1.1 103 Early Hints\r\n\r\n");
    peer->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    std::unique_ptr<ResponseParser> parser;
    const auto state = co_await (*connected)->read_head(parser, 1 << 10, false);
    number = state ? 0 : number_of(state.error(), "errno");
  });
  return number;
}

TEST(ClientConnection, SkipsABoundedNumberOfInterimAnswers) {
  EXPECT_EQ(read_behind(32), 0);
  EXPECT_EQ(read_behind(33), EBADMSG);
}

TEST(ClientConnection, FindsAHostOnAThreadOfItsOwn) {
  const RawServer server;
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    // Where no name server answers, it takes its time to say that there is no such name.
    const std::chrono::seconds patience(60);
    BlockingCalls names(executor, 1, patience);
    Endpoint endpoint = *Endpoint::parse("http://localhost:" + std::to_string(server.port()));
    const auto found =
        co_await ClientConnection::connect(executor, endpoint, patience, nullptr, &names);
    EXPECT_TRUE(found);
    endpoint.host = "name.invalid";
    const auto lost =
        co_await ClientConnection::connect(executor, endpoint, patience, nullptr, &names);
    EXPECT_FALSE(lost);
    EXPECT_EQ(number_of(lost.error(), "errno"), ENXIO);
    EXPECT_THAT(lost.error().explanation, HasSubstr("name.invalid"));
  });
}

// Its thread goes on, and holds up nobody.
TEST(ClientConnection, WaitsForNoNameLongerThanItMay) {
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    BlockingCalls names(executor, 1, std::chrono::milliseconds(50));
    const auto hangs = std::make_shared<std::promise<void>>();
    TaskScope scope(executor, ignore_failure);
    scope.spawn("hang", [&names, hangs]() -> Task<void> {
      std::function<Result<int>()> call = [hangs] {
        hangs->get_future().wait();
        return Result<int>(0);
      };
      [[maybe_unused]] const auto never = co_await names.run("name", std::move(call));
    });
    const Endpoint endpoint = *Endpoint::parse("http://localhost:1");
    const auto late = co_await ClientConnection::connect(executor, endpoint,
                                                         std::chrono::seconds(10), nullptr, &names);
    EXPECT_FALSE(late);
    EXPECT_EQ(number_of(late.error(), "errno"), ETIMEDOUT);
    hangs->set_value();
    co_await scope.join();
  });
}

}  // namespace
}  // namespace relay::http
