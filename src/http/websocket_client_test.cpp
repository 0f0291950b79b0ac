#include "http/websocket_client.hpp"

#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"
#include "http/websocket_codec.hpp"
#include "http/websocket_handshake.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sys/socket.h>
#include <thread>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::ClosedPort;
using testing::echo;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kNoHeaders;
using testing::run;
using testing::RunningServer;

using Opened = Result<std::unique_ptr<WebSocketClient>>;
using Texts = std::vector<std::string>;

WebSocketUrl local_url(std::uint16_t port, const std::string& path = "/ws") {
  return *WebSocketUrl::parse("ws://127.0.0.1:" + std::to_string(port) + path);
}

Task<Opened> open(WebSocketUrl url, WebSocketClientOptions options = {}, Headers headers = {}) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await WebSocketClient::connect(executor, std::move(url), std::move(headers),
                                              options);
}

Task<Result<void>> send(WebSocketClient& client, Texts texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  co_return co_await client.send(views);
}

Task<Result<void>> send_one(WebSocketClient& client, std::string text) {
  const std::array<std::string_view, 1> views{text};
  co_return co_await client.send(views);
}

// Says one thing to whoever connects, {ACCEPT} replaced by the answer to the client's key, and
// keeps what came until the client leaves.
class CannedServer {
 public:
  explicit CannedServer(std::string answer) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::listen(listener_, 1);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;
  ~CannedServer() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  bool was_reset() const { return was_reset_; }  // after received()
  // What came after the request; waits for the client to leave.
  std::string received() {
    thread_.join();
    return received_;
  }

 private:
  void serve(std::string answer) {
    const int fd = ::accept(listener_, nullptr, nullptr);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string request;
    char bytes[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
      if (got <= 0) break;
      request.append(bytes, static_cast<std::size_t>(got));
    }
    const std::size_t at = request.find("Sec-WebSocket-Key: ");
    const std::size_t mark = answer.find("{ACCEPT}");
    if (at != std::string::npos && mark != std::string::npos) {
      answer.replace(mark, 8, websocket_accept(request.substr(at + 19, 24)));
    }
    ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    for (ssize_t got = 1; got > 0;) {
      got = ::recv(fd, bytes, sizeof bytes, 0);
      if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
      was_reset_ = got < 0 && errno == ECONNRESET;
    }
    ::close(fd);
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::string received_;    // the thread's until it has ended
  bool was_reset_ = false;  // likewise
  std::thread thread_;
};

constexpr const char* kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n";

TEST(WebSocketClient, CarriesMessagesOfEverySize) {
  RunningServer server({}, echo);
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    EXPECT_TRUE(opened);
    if (!opened) co_return;
    for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 300000u, 5000000u}) {
      Texts texts{std::string(size, 'm')};
      const Result<void> sent = co_await send(**opened, texts);
      EXPECT_TRUE(sent);
      const Texts got = co_await (*opened)->receive();
      EXPECT_TRUE(got == texts) << size;
    }
  });
}

TEST(WebSocketClient, SendsManyMessagesWithoutMixingThem) {
  RunningServer server({}, echo);
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    if (!opened) co_return;
    Texts texts;
    for (std::size_t i = 0; i < 2000; ++i) {
      texts.push_back(std::string(i % 100 == 0 ? 50000 : i, static_cast<char>('a' + i % 26)));
    }
    // The echo comes back while it is sent, so both directions are busy.
    const auto executor = co_await asio::this_coro::executor;
    TaskScope scope(executor, [](const std::string&, std::exception_ptr) { ADD_FAILURE(); });
    scope.spawn("send", [&]() -> Task<void> {
      const Result<void> sent = co_await send(**opened, texts);
      EXPECT_TRUE(sent);
    });
    Texts got;
    while (got.size() < texts.size()) {
      const Texts some = co_await (*opened)->receive();
      if (some.empty()) break;
      got.insert(got.end(), some.begin(), some.end());
    }
    EXPECT_TRUE(got == texts);
    co_await scope.join();
  });
}

TEST(WebSocketClient, SendsItsHeadersAndReadsTheServers) {
  std::string seen;
  RunningServer server({}, [&](Exchange& exchange) -> Task<void> {
    seen = exchange.request().path + " " + std::string(exchange.request().header("authorization"));
    Headers extra{{"Acp-Connection-Id", "c1"}};
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", std::move(extra));
  });
  run([&]() -> Task<void> {
    const Headers headers{{"Authorization", "Bearer t"}};
    const WebSocketClientOptions options;
    const Opened opened =
        co_await open(local_url(server.port(), "/agents/a/acp"), options, headers);
    EXPECT_TRUE(opened);
    if (!opened) co_return;
    EXPECT_EQ(find_header((*opened)->headers(), "acp-connection-id"), "c1");
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_EQ((*opened)->ended().code, 1000);
  });
  EXPECT_EQ(seen, "/agents/a/acp Bearer t");
}

TEST(WebSocketClient, TellsWhyTheServerClosed) {
  RunningServer server({}, [](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    const std::array<std::string_view, 1> last{"last"};
    const Result<void> sent = co_await (*accepted)->send(last);
    co_await (*accepted)->close(CloseCode::kPolicy, "too slow");
    const Texts none = co_await (*accepted)->receive();
  });
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    if (!opened) co_return;
    const Texts messages = co_await (*opened)->receive();
    EXPECT_THAT(messages, ElementsAre("last"));
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_EQ((*opened)->ended().code, 1008);
    EXPECT_THAT((*opened)->ended().explanation, HasSubstr("1008: too slow"));
    const Result<void> sent = co_await send_one(**opened, "x");
    EXPECT_FALSE(sent);
  });
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(WebSocketClient, ClosesInGoodOrder) {
  RunningServer server({}, echo);
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    if (!opened) co_return;
    (*opened)->close(CloseCode::kNormal, "done");
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_EQ((*opened)->ended().code, 1000);
  });
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(WebSocketClient, AnswersPingsOfTheServer) {
  std::string frames = kAgreed;
  append_frame(frames, Opcode::kPing, "are you there");
  append_frame(frames, Opcode::kText, "hello");
  CannedServer server(frames);
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    if (!opened) co_return;
    const Texts messages = co_await (*opened)->receive();
    EXPECT_THAT(messages, ElementsAre("hello"));
  });
  std::string received = server.received();
  DecodedFrames decoded;
  WebSocketDecoder(100).feed(received, decoded);
  EXPECT_EQ(decoded.pong_payload, "are you there");
  EXPECT_FALSE(server.was_reset());
}

TEST(WebSocketClient, KnowsWhatTheServerHasReceived) {
  RunningServer server({}, echo);
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server.port()));
    if (!opened) co_return;
    EXPECT_EQ((*opened)->last_pong(), "");
    const Result<void> first = co_await send_one(**opened, "one");
    (*opened)->ping("1");
    const Result<void> second = co_await send_one(**opened, "two");
    Texts got;
    while (got.size() < 2) {
      const Texts some = co_await (*opened)->receive();
      if (some.empty()) break;
      got.insert(got.end(), some.begin(), some.end());
    }
    EXPECT_THAT(got, ElementsAre("one", "two"));
    EXPECT_EQ((*opened)->last_pong(), "1");
  });
}

TEST(WebSocketClient, DropsAServerThatIsSilent) {
  CannedServer server(kAgreed);
  run([&]() -> Task<void> {
    WebSocketClientOptions options;
    options.websocket.ping_interval = 50ms;
    options.websocket.pong_deadline = 50ms;
    const Opened opened = co_await open(local_url(server.port()), options);
    if (!opened) co_return;
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_THAT((*opened)->ended().explanation, HasSubstr("did not answer a ping"));
  });
  server.received();
  EXPECT_TRUE(server.was_reset()) << "what it has not got it does not get any more";
}

TEST(WebSocketClient, RefusesMessagesOverItsLimit) {
  RunningServer server({}, echo);
  run([&]() -> Task<void> {
    WebSocketClientOptions options;
    options.websocket.max_message_bytes = 100;
    const Opened opened = co_await open(local_url(server.port()), options);
    if (!opened) co_return;
    const Result<void> sent = co_await send_one(**opened, std::string(101, 'x'));
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_THAT((*opened)->ended().explanation, HasSubstr("limit of 100 bytes"));
  });
}

struct FrameCase {
  std::string frames;
  Texts messages;
  const char* ended;
};

TEST(WebSocketClient, ReadsWhatComesWithTheHandshake) {
  std::string hello, masked, bye;
  append_frame(hello, Opcode::kText, "hello");
  append_frame(masked, Opcode::kText, "hello", std::array<unsigned char, 4>{1, 2, 3, 4});
  append_close_frame(bye, CloseCode::kGoingAway, "bye");
  const FrameCase table[] = {
      {hello + hello + bye, {"hello", "hello"}, "1001: bye"},
      {masked, {}, "must not be masked"},
      {std::string("\x81\x01\xff", 3), {}, "UTF-8"},
      {std::string("\x88\x00", 2), {}, "the server closed the connection"},
  };
  for (const FrameCase& row : table) {
    CannedServer server(kAgreed + row.frames);
    run([&]() -> Task<void> {
      const Opened opened = co_await open(local_url(server.port()));
      EXPECT_TRUE(opened);
      if (!opened) co_return;
      Texts got;
      for (;;) {
        const Texts some = co_await (*opened)->receive();
        if (some.empty()) break;
        got.insert(got.end(), some.begin(), some.end());
        if (got.size() == row.messages.size()) (*opened)->close(CloseCode::kNormal, "");
      }
      EXPECT_EQ(got, row.messages);
      EXPECT_THAT((*opened)->ended().explanation, HasSubstr(row.ended));
    });
  }
}

struct Refusal {
  std::string answer;
  std::int64_t status;
  std::int64_t number;
  ErrorType type;
  const char* explanation;
};

TEST(WebSocketClient, ExplainsAHandshakeThatFails) {
  const std::string agreed = kAgreed;
  const auto without = [&](const std::string& text, const std::string& instead) {
    std::string out = agreed;
    return out.replace(out.find(text), text.size(), instead);
  };
  const Refusal table[] = {
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nbody", 401, 0,
       ErrorType::kUnauthorized, "HTTP 401"},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nbody", 403, 0, ErrorType::kForbidden,
       "HTTP 403"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody", 404, 0, ErrorType::kInternalError,
       "HTTP 404"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", 200, 0, ErrorType::kInternalError,
       "HTTP 200"},
      {without("{ACCEPT}", "AAAA"), 0, EBADMSG, ErrorType::kInternalError, "Sec-WebSocket-Accept"},
      {without("Upgrade: websocket", "Upgrade: h2c"), 0, EBADMSG, ErrorType::kInternalError,
       "another protocol"},
      {without("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), 0, EBADMSG,
       ErrorType::kInternalError, "extension"},
      {"SSH-2.0-OpenSSH_9\r\n\r\n", 0, EBADMSG, ErrorType::kInternalError, "bad answer"},
  };
  for (const Refusal& row : table) {
    CannedServer server(row.answer);
    run([&]() -> Task<void> {
      const Opened opened = co_await open(local_url(server.port()));
      EXPECT_FALSE(opened) << row.answer;
      if (opened) co_return;
      EXPECT_EQ(number_of(opened.error(), "status"), row.status) << row.answer;
      EXPECT_EQ(number_of(opened.error(), "errno"), row.number) << row.answer;
      EXPECT_EQ(opened.error().type, row.type) << row.answer;
      EXPECT_THAT(opened.error().explanation, HasSubstr(row.explanation));
      if (row.status != 0) {
        EXPECT_EQ(opened.error().details, "body");
      }
    });
  }
}

TEST(WebSocketClient, GivesUpOnAHandshakeThatNeverEnds) {
  CannedServer server("HTTP/1.1 101 Switching");
  run([&]() -> Task<void> {
    WebSocketClientOptions options;
    options.handshake_timeout = 30ms;
    const Opened opened = co_await open(local_url(server.port()), options);
    EXPECT_FALSE(opened);
    if (!opened) {
      EXPECT_EQ(number_of(opened.error(), "errno"), ETIMEDOUT);
    }
  });
}

TEST(WebSocketClient, ExplainsThatNobodyListens) {
  const ClosedPort closed;
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(closed.port()));
    EXPECT_FALSE(opened);
    if (!opened) {
      EXPECT_EQ(number_of(opened.error(), "errno"), ECONNREFUSED);
    }
  });
}

TEST(WebSocketClient, NoticesAConnectionThatIsCut) {
  auto server = std::make_unique<RunningServer>(ServerOptions{}, echo);
  const std::size_t before = testing::open_descriptors();
  run([&]() -> Task<void> {
    const Opened opened = co_await open(local_url(server->port()));
    if (!opened) co_return;
    (*opened)->abandon();
    const Texts end = co_await (*opened)->receive();
    EXPECT_THAT(end, IsEmpty());
    EXPECT_THAT((*opened)->ended().explanation, HasSubstr("lost"));
    const Result<void> sent = co_await send_one(**opened, "x");
    EXPECT_FALSE(sent);
  });
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_TRUE(eventually([&] { return testing::open_descriptors() <= before; }));
}

class WebSocketClientTls : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout " +
        files_.private_key + " -out " + files_.certificate_chain + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    options_.tls = files_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  const std::string directory_ = ::testing::TempDir() + "relay_wss_" + std::to_string(::getpid());
  const TlsFiles files_{directory_ + "/cert.pem", directory_ + "/key.pem"};
  ServerOptions options_;
};

TEST_F(WebSocketClientTls, CarriesMessages) {
  RunningServer server(options_, echo);
  run([&]() -> Task<void> {
    WebSocketUrl url =
        *WebSocketUrl::parse("wss://localhost:" + std::to_string(server.port()) + "/acp");
    const Opened strict = co_await open(url);
    EXPECT_FALSE(strict) << "nobody signed the certificate";
    url.endpoint.ca_file = files_.certificate_chain;
    const Opened opened = co_await open(url);
    EXPECT_TRUE(opened);
    if (!opened) co_return;
    const Texts texts{"small", std::string(3000000, 'L'), "after"};
    const Result<void> sent = co_await send(**opened, texts);
    EXPECT_TRUE(sent);
    Texts got;
    while (got.size() < texts.size()) {
      const Texts some = co_await (*opened)->receive();
      if (some.empty()) break;
      got.insert(got.end(), some.begin(), some.end());
    }
    EXPECT_TRUE(got == texts);
  });
}

TEST_F(WebSocketClientTls, GoesOnWithMessagesThatAreReadAlready) {
  options_.websocket.ping_interval = 0ms;
  std::atomic<bool> all_sent = false;
  RunningServer server(options_, [&](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    const std::vector<std::string_view> texts(15'000, "m");
    const Result<void> sent = co_await (*accepted)->send(texts);
    all_sent = true;
    const Texts end = co_await (*accepted)->receive();
  });
  run([&]() -> Task<void> {
    WebSocketUrl url =
        *WebSocketUrl::parse("wss://localhost:" + std::to_string(server.port()) + "/acp");
    url.endpoint.ca_file = files_.certificate_chain;
    WebSocketClientOptions options;
    options.websocket.ping_interval = 0ms;
    const Opened opened = co_await open(url, options);
    EXPECT_TRUE(opened);
    if (!opened) co_return;
    EXPECT_TRUE(eventually([&] { return all_sent.load(); }));
    std::size_t got = 0;
    while (got < 15'000) {
      const Texts some = co_await (*opened)->receive();
      if (some.empty()) break;
      got += some.size();
    }
    EXPECT_EQ(got, 15'000u);
  });
}

}  // namespace
}  // namespace relay::http
