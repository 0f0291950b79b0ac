// What a server does between the head and the end of a body, and with clients that end their side.
#include "http/server.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawClient;
using testing::RunningServer;
using ::testing::StartsWith;

Task<void> say_body_size(Exchange& exchange) {
  Response response;
  response.body = std::to_string(exchange.request().body.size());
  const Result<void> sent = co_await exchange.respond(std::move(response));
}

std::string head_of(std::size_t body, std::string_view more = "", std::string_view path = "/") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body) + "\r\n\r\n";
}

HeadVerdict judge_by_path(const Request& head) {
  HeadVerdict verdict;
  if (head.path == "/no") {
    verdict.refusal.emplace();
    verdict.refusal->status = 401;
    verdict.refusal->headers = {{"WWW-Authenticate", "Bearer"}};
    verdict.refusal->body = "who are you";
  }
  if (head.path == "/small") verdict.max_body_bytes = 10;
  return verdict;
}

TEST(ServerBodies, AreRefusedByTheirHeads) {
  ServerOptions options;
  options.max_body_bytes = 100;
  options.judge_head = judge_by_path;
  std::atomic<int> handled = 0;
  RunningServer server(options, [&](Exchange& exchange) {
    ++handled;
    return say_body_size(exchange);
  });
  for (const std::size_t length : {5UL, 101UL, 2'000'000'000UL}) {
    for (const char* expect : {"", "Expect: 100-continue\r\n"}) {
      RawClient client(server.port());
      client.send(head_of(length, expect, "/no") + "be");
      client.shutdown_send();
      const std::string answer = client.read_all();
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
      EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer\r\n"));
      EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
      EXPECT_THAT(answer, EndsWith("\r\n\r\nwho are you"));
    }
  }
  EXPECT_EQ(handled, 0);
}

TEST(ServerBodies, HaveTheLimitOfTheirHead) {
  ServerOptions options;
  options.max_body_bytes = 100;
  options.judge_head = judge_by_path;
  RunningServer server(options, say_body_size);
  const std::pair<const char*, std::size_t> limits[] = {{"/small", 10}, {"/", 100}};
  for (const auto& [path, limit] : limits) {
    RawClient fits(server.port());
    fits.send(head_of(limit, "", path) + std::string(limit, 'x'));
    EXPECT_THAT(fits.read_answer(), EndsWith("\r\n\r\n" + std::to_string(limit)));
    RawClient over(server.port());
    over.send(head_of(limit + 1, "Expect: 100-continue\r\n", path));
    EXPECT_THAT(over.read_all(), StartsWith("HTTP/1.1 413"));
    RawClient chunked(server.port());
    chunked.send("POST " + std::string(path) +
                 " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n");
    chunked.shutdown_send();
    EXPECT_THAT(chunked.read_all(), StartsWith("HTTP/1.1 413")) << path;
  }
}

TEST(ServerBodies, ShareABudgetToItsLastByte) {
  ServerOptions options;
  options.body_budget = std::make_shared<BodyBudget>(100);
  RunningServer server(options, say_body_size);
  RawClient first(server.port());
  first.send(head_of(61, "Expect: 100-continue\r\n"));
  EXPECT_THAT(first.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100"));
  first.send(std::string(60, 'x'));
  // That the sixty bytes have been read shows in what is left for others.
  EXPECT_TRUE(eventually([&] {
    RawClient over(server.port());
    over.send(head_of(41) + std::string(41, 'x'));
    return over.read_answer().starts_with("HTTP/1.1 503");
  }));
  RawClient over(server.port());
  over.send(head_of(41) + std::string(41, 'x'));
  EXPECT_THAT(over.read_all(), HasSubstr("Retry-After: "));
  RawClient fits(server.port());
  fits.send(head_of(40) + std::string(40, 'x'));
  EXPECT_THAT(fits.read_answer(), EndsWith("\r\n\r\n40"));
  first.send("x");
  EXPECT_THAT(first.read_answer(), EndsWith("\r\n\r\n61"));
  fits.send(head_of(100) + std::string(100, 'x'));
  EXPECT_THAT(fits.read_answer(), EndsWith("\r\n\r\n100"));
  EXPECT_EQ(server.on_loop([&] { return options.body_budget->used(); }), 0U);
}

// Sends a byte every few milliseconds until there is an answer.
std::string drip(RawClient& client) {
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < give_up) {
    pollfd readable{client.fd(), POLLIN, 0};
    if (::poll(&readable, 1, 10) != 0) break;
    client.send("x");
  }
  return client.read_all();
}

TEST(ServerBodies, HaveToComeWithinATimeAndAtARate) {
  ServerOptions options;
  options.pace.total = 200ms;
  RunningServer whole(options, say_body_size);
  RawClient endless(whole.port());
  endless.send(head_of(1'000'000));
  EXPECT_THAT(drip(endless), StartsWith("HTTP/1.1 408"));

  options.pace.total = 600s;
  options.pace.pause = 200ms;
  options.pace.least_rate = 100'000;
  RunningServer rate(options, say_body_size);
  RawClient slow(rate.port());
  slow.send(head_of(1'000'000));
  EXPECT_THAT(drip(slow), StartsWith("HTTP/1.1 408"));
}

struct Waiting {
  std::atomic<bool> asked = false;
  std::atomic<bool> gone = false;
};

Handler waits_for_the_peer(Waiting& waiting) {
  return [&waiting](Exchange& exchange) -> Task<void> {
    waiting.asked = true;
    co_await peer_gone(exchange, HalfClosed::kListensOn);
    waiting.gone = true;
    co_await say_body_size(exchange);
  };
}

TEST(ServerPeers, ThatHaveSaidAllAreThereUntilTheyClose) {
  Waiting waiting;
  RunningServer server({}, waits_for_the_peer(waiting));
  RawClient client(server.port());
  client.send(head_of(4) + "body");
  client.shutdown_send();
  EXPECT_THAT(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_FALSE(waiting.gone);
  client.close();
  EXPECT_TRUE(eventually([&] { return waiting.gone.load(); }));
}

TEST(ServerPeers, ThatHaveClosedAreGone) {
  Waiting waiting;
  RunningServer server({}, waits_for_the_peer(waiting));
  RawClient client(server.port());
  client.send(head_of(4) + "body");
  EXPECT_TRUE(eventually([&] { return waiting.asked.load(); }));
  EXPECT_FALSE(waiting.gone);
  client.close();
  EXPECT_TRUE(eventually([&] { return waiting.gone.load(); }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(ServerPeers, ThatFloodTheConnectionGetNoMoreThanTheAnswer) {
  Waiting waiting;
  RunningServer server({}, waits_for_the_peer(waiting));
  RawClient client(server.port());
  std::string requests;
  while (requests.size() < 1'000'000) requests += head_of(4) + "body";
  client.send(requests);
  const std::string answer = client.read_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n4"));
}

TEST(ServerPeers, GetTheirAnswerAfterTheyEndedTheirSide) {
  std::atomic<bool> answer = false;
  RunningServer server({}, [&](Exchange& exchange) -> Task<void> {
    TaskScope scope(exchange.executor(), ignore_failure);
    bool gone = false;
    scope.spawn("watch", [&]() -> Task<void> {
      co_await peer_gone(exchange, HalfClosed::kListensOn);
      gone = true;
    });
    while (!answer && !gone) co_await sleep_for(1ms);
    scope.cancel();
    co_await scope.join();
    co_await say_body_size(exchange);
  });
  for (const char* version : {"1.1", "1.0"}) {
    answer = false;
    RawClient client(server.port());
    client.send("POST / HTTP/" + std::string(version) +
                "\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    client.shutdown_send();
    std::string received;
    if (version == std::string_view("1.1")) received = client.read_until("\r\n\r\n");
    answer = true;
    received += client.read_all();
    EXPECT_THAT(received, HasSubstr(" 200 OK\r\n"));
    EXPECT_THAT(received, EndsWith("\r\n\r\n4"));
    // A client of HTTP/1.0 knows no interim responses.
    if (version == std::string_view("1.0")) {
      EXPECT_THAT(received, Not(HasSubstr(" 100 ")));
    }
  }
}

}  // namespace
}  // namespace relay::http
