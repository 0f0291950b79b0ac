#include "http/websocket.hpp"

#include "base/unique_fd.hpp"
#include "http/scratch.hpp"
#include "http/testing/running_server.hpp"
#include "http/websocket_codec.hpp"
#include "http/websocket_connection.hpp"
#include "http/websocket_handshake.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <sys/socket.h>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::echo;
using testing::eventually;
using ::testing::HasSubstr;
using testing::kNoHeaders;
using ::testing::Not;
using testing::RawClient;
using testing::RunningServer;

using ::testing::StartsWith;

constexpr std::array<unsigned char, 4> kMask{1, 2, 3, 4};

std::string upgrade(std::string_view more = "") {
  return "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(more) + "\r\n";
}

std::string masked(std::string_view payload, Opcode opcode = Opcode::kText) {
  std::string out;
  append_frame(out, opcode, payload, kMask);
  return out;
}

std::string plain(std::string_view payload, Opcode opcode = Opcode::kText) {
  std::string out;
  append_frame(out, opcode, payload);
  return out;
}

std::string close_frame(int code, std::string_view reason = "") {
  std::string out;
  append_close_frame(out, static_cast<CloseCode>(code), reason);
  return out;
}

class WebSocketTest : public ::testing::Test {
 protected:
  void start(Handler handler = echo) {
    server_ = std::make_unique<RunningServer>(options_, std::move(handler));
    client_ = std::make_unique<RawClient>(server_->port());
    client_->send(upgrade());
    EXPECT_THAT(client_->read_until("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
  }
  void expect_end() {
    EXPECT_EQ(client_->read_all(), "");
    client_->close();
    EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
  }

  ServerOptions options_;
  std::unique_ptr<RunningServer> server_;
  std::unique_ptr<RawClient> client_;
};

TEST(WebSocketHandshake, ComputesTheAcceptOfTheRfc) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, EchoesSubprotocolAndHeaders) {
  RunningServer server({}, [](Exchange& exchange) -> Task<void> {
    Headers extra{{"X-Extra", "yes"}};
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("acp", std::move(extra));
  });
  RawClient client(server.port());
  client.send(upgrade());
  const std::string answer = client.read_until("\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Protocol: acp\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Extra: yes\r\n"));
  EXPECT_EQ(client.read_all(), close_frame(1000));
}

struct BadHandshake {
  std::string remove;
  std::string insert;
  int status;
};

TEST(WebSocketHandshake, RefusesWhatIsNotValid) {
  RunningServer server({}, echo);
  const BadHandshake table[] = {
      {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400},
      {"dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400},
      {"Version: 13", "Version: 8", 426},
      {"Sec-WebSocket-Version: 13\r\n", "", 426},
      {"GET", "PUT", 400},
      {"Upgrade: websocket", "Upgrade: h2c", 426},
  };
  for (const BadHandshake& row : table) {
    std::string request = upgrade();
    request.replace(request.find(row.remove), row.remove.size(), row.insert);
    RawClient client(server.port());
    client.send(request);
    const std::string answer = client.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(row.status))) << request;
    if (row.status == 426) {
      EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Version: 13\r\n"));
    }
  }
}

TEST(WebSocketHandshake, IgnoresOtherUpgrades) {
  std::atomic<bool> wanted = true;
  RunningServer server({}, [&](Exchange& exchange) -> Task<void> {
    wanted = exchange.wants_websocket();
    Response response;
    const Result<void> sent = co_await exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  client.send(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n");
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_FALSE(wanted);
}

TEST_F(WebSocketTest, EchoesMessagesOfEverySize) {
  start();
  for (const std::size_t size : {0u, 1u, 125u, 126u, 16383u, 16384u, 65535u, 65536u, 5000000u}) {
    const std::string text(size, 'm');
    client_->send(masked(text));
    const std::string expected = plain(text);
    EXPECT_TRUE(client_->read_exactly(expected.size()) == expected) << size;
  }
}

TEST_F(WebSocketTest, ReadsFramesThatCameWithTheUpgrade) {
  server_ = std::make_unique<RunningServer>(options_, echo);
  RawClient client(server_->port());
  client.send(upgrade() + masked("early") + masked("bird"));
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_exactly(13), plain("early") + plain("bird"));
}

TEST_F(WebSocketTest, GivesAllThatHasArrivedAtOnce) {
  std::atomic<std::size_t> most = 0;
  std::atomic<bool> go = false;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    while (!go) co_await sleep_for(1ms);
    const std::vector<std::string> messages = co_await (*accepted)->receive();
    most = messages.size();
  });
  std::string many;
  for (int i = 0; i < 500; ++i) many += masked("message");
  client_->send(many);
  go = true;
  EXPECT_EQ(client_->read_all(), close_frame(1000));
  EXPECT_GT(most, 1u);
}

TEST_F(WebSocketTest, SendsManyMessagesToAReaderThatIsSlow) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 3000; ++i) {
    texts.push_back(std::string(i % 50 == 0 ? 100000 : i, static_cast<char>('a' + i % 26)));
  }
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const Result<void> sent = co_await (*accepted)->send(views);
  });
  std::string expected;
  for (const std::string& text : texts) expected += plain(text);
  expected += close_frame(1000);
  EXPECT_TRUE(client_->read_all() == expected);
}

TEST_F(WebSocketTest, AnswersPingsAlsoInsideAMessage) {
  start();
  std::string bytes = masked("Hel");
  bytes[0] = 0x01;
  std::string rest = masked("lo", Opcode::kContinuation);
  client_->send(bytes + masked("p", Opcode::kPing));
  EXPECT_EQ(client_->read_exactly(3), plain("p", Opcode::kPong));
  client_->send(rest);
  EXPECT_EQ(client_->read_exactly(7), plain("Hello"));
}

TEST_F(WebSocketTest, AnswersACloseAndStillGivesWhatCameBeforeIt) {
  std::vector<std::string> got;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    for (;;) {
      const std::vector<std::string> messages = co_await (*accepted)->receive();
      if (messages.empty()) co_return;
      got.insert(got.end(), messages.begin(), messages.end());
    }
  });
  std::string bytes;
  append_close_frame(bytes, CloseCode::kNormal, "bye", kMask);
  client_->send(masked("last") + bytes + masked("after"));
  EXPECT_EQ(client_->read_all(), close_frame(1000));
  client_->close();
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
  EXPECT_THAT(got, ::testing::ElementsAre("last"));
}

TEST_F(WebSocketTest, ClosesWithTheCodeOfTheFailure) {
  options_.websocket.max_message_bytes = 100;
  start();
  client_->send(masked(std::string(100, 'x')));
  EXPECT_EQ(client_->read_exactly(102), plain(std::string(100, 'x')));
  const std::pair<std::string, int> table[] = {
      {masked(std::string(101, 'x')), 1009},
      {masked("\xff"), 1007},
      {plain("unmasked"), 1002},
  };
  for (const auto& [bytes, code] : table) {
    RawClient client(server_->port());
    client.send(upgrade() + bytes);
    client.read_until("\r\n\r\n");
    const std::string end = client.read_all();
    ASSERT_GE(end.size(), 4u);
    const std::string expected = close_frame(code);
    EXPECT_EQ(end.substr(2, 2), expected.substr(2, 2)) << code;
    EXPECT_EQ(end[0], expected[0]);
  }
}

TEST_F(WebSocketTest, PingsAQuietPeerAndKeepsItWhileItAnswers) {
  options_.websocket.ping_interval = 30ms;
  options_.websocket.pong_deadline = 5s;
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client_->read_exactly(2), plain("", Opcode::kPing));
    client_->send(masked("", Opcode::kPong));
  }
  client_->send(masked("still here"));
  EXPECT_THAT(client_->read_until("still here"), HasSubstr("still here"));
}

TEST_F(WebSocketTest, DropsAPeerThatDoesNotAnswerPings) {
  options_.websocket.ping_interval = 30ms;
  options_.websocket.pong_deadline = 30ms;
  start();
  EXPECT_EQ(client_->read_all(), plain("", Opcode::kPing));
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(WebSocketTest, KeepsAPeerWhoseAnswersToPingsNobodyReads) {
  options_.websocket.ping_interval = 30ms;
  options_.websocket.pong_deadline = 30ms;
  std::atomic<bool> busy = true;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    while (busy) co_await sleep_for(1ms);
    const std::vector<std::string> messages = co_await (*accepted)->receive();
    const std::vector<std::string_view> views(messages.begin(), messages.end());
    const Result<void> sent = co_await (*accepted)->send(views);
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client_->read_exactly(2), plain("", Opcode::kPing));
    client_->send(masked("", Opcode::kPong));
  }
  client_->send(masked("still here"));
  busy = false;
  EXPECT_THAT(client_->read_until("still here"), HasSubstr("still here"));
}

TEST_F(WebSocketTest, CountsTheSilenceOfAPeerFromWhenSomebodyReads) {
  options_.websocket.ping_interval = 30ms;
  options_.websocket.pong_deadline = 30ms;
  std::atomic<bool> busy = true;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    while (busy) co_await sleep_for(1ms);
    const std::vector<std::string> none = co_await (*accepted)->receive();
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client_->read_exactly(2), plain("", Opcode::kPing));
  }
  EXPECT_EQ(server_->connections(), 1U);
  busy = false;
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

// What came before may not have been looked at yet.
TEST(WebSocketSilence, BeginsWithTheFirstTickAfterSomebodyBeganToRead) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const UniqueFd peer(ends[0]);
  asio::io_context loop;
  Transport transport(Transport::Socket(loop, asio::generic::stream_protocol(AF_UNIX, 0), ends[1]));
  Scratch scratch;
  WebSocketOptions options;
  options.ping_interval = 1h;
  options.pong_deadline = 1h;
  WebSocketConnection socket(transport, scratch, options, "peer", Side::kServer);
  const auto began = WebSocketConnection::Clock::now();
  socket.tick(began + 2h);  // pings
  asio::co_spawn(loop, socket.receive(), asio::detached);
  loop.poll();
  socket.tick(began + 4h);
  EXPECT_EQ(socket.end().kind, WebSocketEnd::Kind::kOpen);
  socket.tick(began + 5h);
  EXPECT_EQ(socket.end().kind, WebSocketEnd::Kind::kSilent);
  loop.run();  // to the end of receive()
}

TEST_F(WebSocketTest, ClosesInGoodOrder) {
  std::atomic<bool> ended = false;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    WebSocket& socket = **accepted;
    co_await socket.close(CloseCode::kPolicy, "not welcome");
    co_await socket.close(CloseCode::kNormal, "again");
    const std::vector<std::string> none = co_await socket.receive();
    ended = none.empty();
  });
  client_->send(masked("crossing"));
  EXPECT_EQ(client_->read_exactly(15), close_frame(1008, "not welcome"));
  std::string bytes;
  append_close_frame(bytes, CloseCode::kPolicy, "", kMask);
  client_->send(bytes);
  expect_end();
  EXPECT_TRUE(ended);
}

TEST_F(WebSocketTest, EndsAlthoughThePeerNeverAnswersTheClose) {
  start([](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    co_await (*accepted)->close(CloseCode::kGoingAway, "");
    const std::vector<std::string> none = co_await (*accepted)->receive();
  });
  EXPECT_EQ(client_->read_all(), close_frame(1001));
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(WebSocketTest, GivesUpASendToAPeerThatNeverReads) {
  options_.websocket.ping_interval = 40ms;
  options_.websocket.pong_deadline = 40ms;
  std::atomic<bool> failed = false;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    const std::string text(64u << 20, 'x');
    const std::array<std::string_view, 1> views{text};
    const Result<void> sent = co_await (*accepted)->send(views);
    failed = !sent;
  });
  EXPECT_TRUE(eventually([&] { return failed.load(); }));
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(WebSocketTest, SaysGoingAwayWhenTheServerStops) {
  start();
  client_->send(masked("x"));
  EXPECT_EQ(client_->read_exactly(3), plain("x"));
  server_->stop(10ms);
  EXPECT_EQ(client_->read_all(), close_frame(1001, "the server is stopping"));
}

TEST_F(WebSocketTest, LeavesNothingOfClientsThatVanish) {
  server_ = std::make_unique<RunningServer>(options_, echo);
  const std::size_t before = testing::open_descriptors();
  for (int i = 0; i < 200; ++i) {
    RawClient client(server_->port());
    client.send(upgrade() + masked("hello").substr(0, static_cast<std::size_t>(i % 11)));
  }
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
  EXPECT_TRUE(eventually([&] { return testing::open_descriptors() <= before; }));
}

TEST_F(WebSocketTest, HoldsNoMoreOfUnfinishedMessagesThanTheBudgetOfAllBodies) {
  options_.body_budget = std::make_shared<BodyBudget>(100'000);
  start();
  const std::string text(60'000, 'm');
  const std::string half = masked(text).substr(0, 50'000);
  client_->send(half);
  const auto used = [&] { return server_->on_loop([&] { return options_.body_budget->used(); }); };
  ASSERT_TRUE(eventually([&] { return used() > 49'000; }));
  RawClient other(server_->port());
  other.send(upgrade());
  other.read_until("\r\n\r\n");
  // One that fits whole and is handed over leaves nothing behind.
  other.send(masked("whole"));
  EXPECT_EQ(other.read_exactly(plain("whole").size()), plain("whole"));
  other.send(masked(std::string(60'000, 'm')).substr(0, 55'000));
  EXPECT_EQ(other.read_all(),
            close_frame(1013,
                        "the messages under way are as large as may be: try again, or raise "
                        "server.max_bodies_bytes"));
  client_->send(masked(text).substr(50'000));
  EXPECT_EQ(client_->read_exactly(plain(text).size()), plain(text));
  EXPECT_EQ(used(), 0U);
}

TEST_F(WebSocketTest, GivesUpAMessageThatComesToAHalt) {
  options_.pace.pause = 50ms;
  start();
  client_->send(masked("whole"));
  EXPECT_EQ(client_->read_exactly(plain("whole").size()), plain("whole"));
  client_->send(masked("a message").substr(0, 8));
  const std::string end = close_frame(1008, "the message came too slowly");
  EXPECT_EQ(client_->read_exactly(end.size()), end);
  client_->close();
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(WebSocketTest, KnowsWhetherThePeerHasGoneWhileNobodyReads) {
  std::atomic<bool> asked = false;
  std::vector<std::string> last_words;
  start([&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    WebSocket& socket = **accepted;
    EXPECT_FALSE(socket.peer_has_gone());
    asked = true;
    EXPECT_TRUE(eventually([&] { return socket.peer_has_gone(); })) << "no turn of the loop later";
    last_words = co_await socket.receive();
    const std::vector<std::string> more = co_await socket.receive();
    EXPECT_TRUE(more.empty());
  });
  EXPECT_TRUE(eventually([&] { return asked.load(); }));
  client_->send(masked("last words"));
  client_->close();
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
  EXPECT_THAT(last_words, ::testing::ElementsAre("last words"));
}

TEST_F(WebSocketTest, TakesABoundedNumberOfMessagesAtATime) {
  constexpr std::size_t kFrames = 500'000;
  std::atomic<std::size_t> received = 0;
  std::atomic<std::size_t> most = 0;
  start([&](Exchange& exchange) -> Task<void> {
    Headers no_more;
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", std::move(no_more));
    for (;;) {
      const std::vector<std::string> messages = co_await (*accepted)->receive();
      if (messages.empty()) co_return;
      received += messages.size();
      most = std::max(most.load(), messages.size());
    }
  });
  std::string frames;
  const std::string empty = masked("");
  for (std::size_t i = 0; i < kFrames; ++i) frames += empty;
  client_->send(frames);
  EXPECT_TRUE(eventually([&] { return received == kFrames; }));
  // What one read brings, and what was there before it.
  EXPECT_LE(most, kReadBytes / empty.size() + 1024);
  client_->close();
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

}  // namespace
}  // namespace relay::http
