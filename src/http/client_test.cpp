#include "http/client.hpp"

#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <semaphore>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::ClosedPort;
using ::testing::HasSubstr;
using testing::kNoHeaders;
using testing::RawServer;
using testing::run;
using testing::RunningServer;

Task<void> serve(Exchange& exchange) {
  Request& request = exchange.request();
  if (request.path == "/stream") {
    Response head;
    const Result<void> started = co_await exchange.start_stream(std::move(head));
    for (const char* part : {"one ", "two ", "three"}) {
      const Result<void> sent = co_await exchange.write(part);
      co_await sleep_for(5ms);
    }
    const Result<void> finished = co_await exchange.finish();
    co_return;
  }
  if (request.path == "/never") {
    co_await peer_gone(exchange, HalfClosed::kIsGone);
    co_return;
  }
  if (exchange.wants_websocket()) {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    const std::vector<std::string> messages = co_await (*accepted)->receive();
    co_return;
  }
  Response response;
  response.status = request.path == "/missing" ? 404 : 200;
  response.headers = {{"X-Host", std::string(request.header("host"))}, {"X-Peer", request.peer}};
  response.body = std::move(request.body);
  const Result<void> sent = co_await exchange.respond(std::move(response));
}

Endpoint local(std::uint16_t port) {
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  return endpoint;
}

TEST(Client, KeepsItsConnection) {
  RunningServer server({}, serve);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, local(server.port()), {});
    std::string peer;
    for (int i = 0; i < 3; ++i) {
      Request request;
      request.method = "POST";
      request.body = std::string(100000, 'b');
      const Result<Response> answer = co_await client.request(request);
      EXPECT_TRUE(answer);
      if (!answer) co_return;
      EXPECT_EQ(answer->body.size(), 100000u);
      EXPECT_EQ(answer->header("x-host"), "127.0.0.1:" + std::to_string(server.port()));
      if (i > 0) {
        EXPECT_EQ(answer->header("x-peer"), peer);
      }
      peer = answer->header("x-peer");
    }
    Request missing;
    missing.target = "/missing";
    const Result<Response> answer = co_await client.request(missing);
    EXPECT_TRUE(answer && answer->status == 404);
    Request head;
    head.method = "HEAD";
    const Result<Response> headless = co_await client.request(head);
    EXPECT_TRUE(headless && headless->body.empty());
  });
}

TEST(Client, ReplacesAKeptConnectionThatWasClosed) {
  RawServer server;
  std::binary_semaphore answered(0), closed(0);
  std::thread peer([&] {
    for (int i = 0; i < 2; ++i) {
      const auto connection = server.accept();
      connection->read_until("\r\n\r\n");
      connection->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      answered.acquire();
      connection->close();
      closed.release();
    }
  });
  run([&]() -> Task<void> {
    const Request plain;
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, local(server.port()), {});
    const Result<Response> first = co_await client.request(plain);
    EXPECT_TRUE(first);
    answered.release();
    closed.acquire();
    const Result<Response> second = co_await client.request(plain);
    EXPECT_TRUE(second);
    answered.release();
  });
  peer.join();
}

TEST(Client, StreamsAnAnswer) {
  RunningServer server({}, serve);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, local(server.port()), {});
    Request request;
    request.target = "/stream";
    Result<std::unique_ptr<Stream>> stream = co_await client.open(request);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    EXPECT_EQ((*stream)->head().status, 200);
    std::string all;
    for (;;) {
      const Result<std::string> part = co_await (*stream)->read_some();
      EXPECT_TRUE(part);
      if (!part || part->empty()) break;
      all += *part;
    }
    EXPECT_EQ(all, "one two three");
  });
}

TEST(Client, SpeaksRawBytesAfterAnUpgrade) {
  RunningServer server({}, serve);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, local(server.port()), {});
    Request request;
    request.headers = {{"Connection", "Upgrade"},
                       {"Upgrade", "websocket"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    Result<std::unique_ptr<Stream>> stream = co_await client.open(request);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    EXPECT_EQ((*stream)->head().status, 101);
    const std::string_view close_1000("\x88\x82\0\0\0\0\x03\xe8", 8);
    const Result<void> sent = co_await (*stream)->write(close_1000);
    EXPECT_TRUE(sent);
    const Result<std::string> answer = co_await (*stream)->read_some();
    EXPECT_TRUE(answer && *answer == "\x88\x02\x03\xe8");
    const Result<std::string> end = co_await (*stream)->read_some();
    EXPECT_TRUE(end && end->empty());
  });
}

TEST(Client, TimesOutWaitingForAHead) {
  RunningServer server({}, serve);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    ClientOptions options;
    options.head_timeout = 30ms;
    Client client(executor, local(server.port()), options);
    Request request;
    request.target = "/never";
    const Result<Response> answer = co_await client.request(request);
    EXPECT_FALSE(answer);
    if (!answer) {
      EXPECT_THAT(answer.error().explanation, HasSubstr("in time"));
    }
  });
}

std::int64_t error_number(const Error& error) {
  for (const auto& [key, value] : error.state) {
    if (key == "errno" && std::holds_alternative<std::int64_t>(value)) {
      return std::get<std::int64_t>(value);
    }
  }
  return 0;
}

// The system takes only so much for a server that reads nothing.
TEST(Client, TimesOutSayingWhatNobodyReads) {
  const std::string path =
      ::testing::TempDir() + "relay_http_client_deaf_" + std::to_string(::getpid()) + ".sock";
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    const asio::local::stream_protocol::acceptor deaf(executor, path);
    Endpoint endpoint;
    endpoint.transport = Endpoint::Transport::kUnix;
    endpoint.socket_path = path;
    ClientOptions options;
    options.head_timeout = 30ms;
    Client client(executor, endpoint, options);
    Request request;
    request.method = "POST";
    request.body.assign(16u << 20, 'x');
    const Result<Response> answer = co_await client.request(request);
    EXPECT_EQ(answer ? 0 : error_number(answer.error()), ETIMEDOUT);
    const Result<std::unique_ptr<Stream>> stream = co_await client.open(request);
    EXPECT_EQ(stream ? 0 : error_number(stream.error()), ETIMEDOUT);
  });
  ::unlink(path.c_str());
}

// What a request to `endpoint` fails with.
std::int64_t number_of_failure(Endpoint endpoint, ClientOptions options) {
  std::int64_t number = 0;
  run([&]() -> Task<void> {
    const Request plain;
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, endpoint, options);
    const Result<Response> answer = co_await client.request(plain);
    EXPECT_FALSE(answer);
    if (!answer) number = error_number(answer.error());
  });
  return number;
}

TEST(Client, TimesOutWaitingForTheRestOfAnAnswer) {
  RunningServer server({}, [](Exchange& exchange) -> Task<void> {
    Response head;
    const Result<void> started = co_await exchange.start_stream(std::move(head));
    const Result<void> sent = co_await exchange.write("a beginning");
    co_await peer_gone(exchange, HalfClosed::kIsGone);
  });
  ClientOptions options;
  options.answer_timeout = 30ms;
  EXPECT_EQ(number_of_failure(local(server.port()), options), ETIMEDOUT);
}

TEST(Client, TellsFailuresApartByTheirNumber) {
  Endpoint nowhere;
  nowhere.transport = Endpoint::Transport::kUnix;
  nowhere.socket_path = "/no/such/socket";
  EXPECT_EQ(number_of_failure(nowhere, {}), ENOENT);
  nowhere.socket_path = std::string(200, 'x');
  EXPECT_EQ(number_of_failure(nowhere, {}), ENAMETOOLONG);
  const ClosedPort closed;
  EXPECT_EQ(number_of_failure(local(closed.port()), {}), ECONNREFUSED);
  RunningServer server({}, serve);
  Endpoint tls = local(server.port());
  tls.transport = Endpoint::Transport::kTls;
  EXPECT_EQ(number_of_failure(tls, {}), EPROTO);
  ClientOptions small;
  small.head_timeout = 10s;
  small.max_body_bytes = 10;
  RunningServer talker({}, [](Exchange& exchange) -> Task<void> {
    Response response;
    response.body = "12345678901";
    const Result<void> sent = co_await exchange.respond(std::move(response));
  });
  EXPECT_EQ(number_of_failure(local(talker.port()), small), EMSGSIZE);
}

TEST(Client, RefusesABodyOverItsLimit) {
  RunningServer server({}, serve);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    ClientOptions options;
    options.max_body_bytes = 10;
    Client client(executor, local(server.port()), options);
    Request request;
    request.method = "POST";
    request.body = "12345678901";
    const Result<Response> answer = co_await client.request(request);
    EXPECT_FALSE(answer);
    if (!answer) {
      EXPECT_THAT(answer.error().explanation, HasSubstr("limit of 10 bytes"));
    }
  });
}

TEST(Client, ExplainsThatNobodyListens) {
  const ClosedPort closed;
  run([&]() -> Task<void> {
    const Request plain;
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, local(closed.port()), {});
    const Result<Response> answer = co_await client.request(plain);
    EXPECT_FALSE(answer);
    if (!answer) {
      EXPECT_THAT(answer.error().explanation, HasSubstr("cannot connect to http://127"));
    }
  });
}

// A server that says one thing to whoever connects, on a Unix socket.
class CannedUnixServer {
 public:
  CannedUnixServer(std::string path, std::string answer) : path_(std::move(path)) {
    ::unlink(path_.c_str());
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::listen(listener, 1);
    thread_ = std::thread([listener, answer = std::move(answer)] {
      const int fd = ::accept(listener, nullptr, nullptr);
      char bytes[4096];
      const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
      if (got > 0) ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(fd);
      ::close(listener);
    });
  }
  CannedUnixServer(const CannedUnixServer&) = delete;
  CannedUnixServer& operator=(const CannedUnixServer&) = delete;
  ~CannedUnixServer() {
    thread_.join();
    ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  std::thread thread_;
};

struct Canned {
  const char* answer;
  const char* body;  // nullptr: an error
};

TEST(Client, ReadsEveryKindOfBodyFromAUnixSocket) {
  const Canned table[] = {
      {"HTTP/1.1 200 OK\r\n\r\nuntil close", "until close"},
      {"HTTP/1.0 200 OK\r\n\r\nold", "old"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       "abc"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncut", nullptr},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", nullptr},
      {"SSH-2.0-OpenSSH\r\n\r\n", nullptr},
      {"HTTP/1.1 200", nullptr},
  };
  for (const Canned& row : table) {
    const std::string path =
        ::testing::TempDir() + "relay_http_client_" + std::to_string(::getpid()) + ".sock";
    CannedUnixServer server(path, row.answer);
    run([&]() -> Task<void> {
      const Request plain;
      const auto executor = co_await asio::this_coro::executor;
      const Result<Endpoint> endpoint = Endpoint::parse("unix://" + path);
      Client client(executor, *endpoint, {});
      const Result<Response> answer = co_await client.request(plain);
      EXPECT_EQ(answer.has_value(), row.body != nullptr) << row.answer;
      if (answer && row.body != nullptr) {
        EXPECT_EQ(answer->body, row.body) << row.answer;
      }
    });
  }
}

}  // namespace
}  // namespace relay::http
