#include "http/server.hpp"

#include "http/testing/running_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sys/resource.h>
#include <thread>

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

Task<void> echo_body(Exchange& exchange) {
  Response response;
  const Request& request = exchange.request();
  response.headers = {{"X-Method", request.method}, {"X-Path", request.path}};
  response.body = request.body;
  const Result<void> sent = co_await exchange.respond(std::move(response));
}

ServerOptions quick() {
  ServerOptions options;
  options.error_body = [](int status, std::string_view explanation) {
    return "{\"status\":" + std::to_string(status) + ",\"why\":\"" + std::string(explanation) +
           "\"}";
  };
  return options;
}

std::string post(std::string_view body, std::string_view more = "") {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST(Server, AnswersAndKeepsTheConnection) {
  RunningServer server(quick(), echo_body);
  RawClient client(server.port());
  for (const char* body : {"one", "", "three"}) {
    client.send(post(body));
    const std::string answer = client.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith(std::string("\r\n\r\n") + body));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  RunningServer server(quick(), echo_body);
  RawClient client(server.port());
  client.send(post("1") + post("22") + "GET /g HTTP/1.1\r\nHost: h\r\n\r\n" + post("4444"));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\n1"));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\n22"));
  EXPECT_THAT(client.read_answer(), HasSubstr("X-Path: /g\r\n"));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\n4444"));
}

TEST(Server, TakesARequestByteByByte) {
  RunningServer server(quick(), echo_body);
  RawClient client(server.port());
  for (const char byte : post("slow")) client.send(std::string_view(&byte, 1));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\nslow"));
}

TEST(Server, JoinsAChunkedBody) {
  RunningServer server(quick(), echo_body);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n" + post("next"));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\nabcdefg"));
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\nnext"));
}

TEST(Server, TakesABodyOfManyMegabytesWithRoomBehindIt) {
  const std::string body(9u << 20, 'b');
  std::size_t capacity = 0;
  RunningServer server(quick(), [&](Exchange& exchange) {
    capacity = exchange.request().body.capacity() - exchange.request().body.size();
    return echo_body(exchange);
  });
  RawClient client(server.port());
  client.send(post(body));
  EXPECT_THAT(client.read_answer().size(), ::testing::Gt(body.size()));
  EXPECT_GE(capacity, kBodySlack);
}

TEST(Server, HoldsTheBodyLimitAtItsEdge) {
  ServerOptions options = quick();
  options.max_body_bytes = 1000;
  RunningServer server(options, echo_body);
  RawClient fits(server.port());
  fits.send(post(std::string(1000, 'x')));
  EXPECT_THAT(fits.read_answer(), StartsWith("HTTP/1.1 200"));
  RawClient over(server.port());
  over.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
  const std::string answer = over.read_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr("limit of 1000 bytes"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  RawClient chunked(server.port());
  chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
               std::string(1000, 'x') + "\r\n1\r\n");
  EXPECT_THAT(chunked.read_all(), StartsWith("HTTP/1.1 413"));
}

TEST(Server, LetsAClientThatIsStillSendingSeeItsRefusal) {
  ServerOptions options = quick();
  options.max_body_bytes = 1000;
  RunningServer server(options, echo_body);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
  client.send(std::string(20000000, 'x'));
  client.shutdown_send();
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 413"));
}

struct BadRequest {
  const char* what;
  std::string bytes;
  int status;
};

TEST(Server, RefusesMalformedRequests) {
  ServerOptions options = quick();
  options.max_header_bytes = 2000;
  RunningServer server(options, echo_body);
  const BadRequest table[] = {
      {"garbage", "\x16\x03\x01\x02", 400},
      {"no version", "GET /\r\n\r\n", 400},
      {"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", 400},
      {"space in name", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"two framings",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
       400},
      {"two framings, other order",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
       400},
      {"two lengths",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
      {"negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", 400},
      {"unknown coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
      {"bad chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"endless chunk line",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
           std::string(20000, 'x'),
       400},
      {"bad escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"nul", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"head over the limit", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x'), 431},
      {"whole head over the limit",
       "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", 431},
  };
  for (const BadRequest& row : table) {
    RawClient client(server.port());
    client.send(row.bytes);
    const std::string answer = client.read_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(row.status))) << row.what;
    EXPECT_THAT(answer, HasSubstr("{\"status\":")) << row.what;
  }
}

TEST(Server, BoundsHeadsAtTheEdge) {
  RunningServer server(quick(), echo_body);
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  const std::string end = "\r\n\r\n";
  for (const std::size_t bytes : {16'384u, 16'385u}) {
    RawClient client(server.port());
    client.send(start + std::string(bytes - start.size() - end.size(), 'x') + end);
    EXPECT_THAT(client.read_answer(),
                StartsWith(bytes == 16'384 ? "HTTP/1.1 200 " : "HTTP/1.1 431 "));
  }
}

TEST(Server, SkipsABoundedNumberOfEmptyLinesBeforeARequest) {
  RunningServer server(quick(), echo_body);
  std::string lines = "\r\n";
  RawClient few(server.port());
  for (const char byte : lines + lines + post("slow")) few.send(std::string_view(&byte, 1));
  EXPECT_THAT(few.read_answer(), EndsWith("\r\n\r\nslow"));
  lines.clear();
  while (lines.size() < 16'384) lines += "\r\n";
  RawClient many(server.port());
  many.send(lines + post("one") + lines + post("two"));
  EXPECT_THAT(many.read_answer(), EndsWith("\r\n\r\none"));
  EXPECT_THAT(many.read_answer(), EndsWith("\r\n\r\ntwo"));
  many.send(lines + "\r\n");
  EXPECT_THAT(many.read_all(), HasSubstr("{\"status\":400,"));
}

TEST(Server, SaysContinueBeforeABodyIsSent) {
  RunningServer server(quick(), echo_body);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\nbody"));
}

TEST(Server, AnswersHeadWithoutABody) {
  RunningServer server(quick(), [](Exchange& exchange) -> Task<void> {
    Response response;
    response.body = "five!";
    const Result<void> sent = co_await exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

Task<void> stream_two(Exchange& exchange) {
  Response head;
  head.headers = {{"Content-Type", "text/event-stream"}};
  const Result<void> started = co_await exchange.start_stream(std::move(head));
  const Result<void> first = co_await exchange.write("one");
  const Result<void> second = co_await exchange.write("two");
  const Result<void> finished = co_await exchange.finish();
}

TEST(Server, StreamsInChunksAndToOldClientsUntilTheEnd) {
  RunningServer server(quick(), stream_two);
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string answer = client.read_until("0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_until("0\r\n\r\n"), HasSubstr("two"));
  RawClient old(server.port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  const std::string plain = old.read_all();
  EXPECT_THAT(plain, Not(HasSubstr("chunked")));
  EXPECT_THAT(plain, EndsWith("\r\n\r\nonetwo"));
}

TEST(Server, KeepsAnOldConnectionOnlyWhenAsked) {
  RunningServer server(quick(), echo_body);
  RawClient closing(server.port());
  closing.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(closing.read_all(), HasSubstr("Connection: close"));
  RawClient keeping(server.port());
  keeping.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(keeping.read_answer(), HasSubstr("Connection: keep-alive"));
}

TEST(Server, TurnsAnExceptionInto500AndLives) {
  RunningServer server(quick(), [](Exchange& exchange) -> Task<void> {
    if (exchange.request().path == "/throw") throw std::runtime_error("broken");
    if (exchange.request().path == "/silent") co_return;
    co_await echo_body(exchange);
  });
  for (const char* path : {"/throw", "/silent"}) {
    RawClient client(server.port());
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 500"));
  }
  RawClient client(server.port());
  client.send(post("fine"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST(Server, DecodesPathAndQuery) {
  RunningServer server(quick(), [](Exchange& exchange) -> Task<void> {
    Response response;
    response.body = exchange.request().path;
    for (const auto& [name, value] : exchange.request().query) {
      response.body += "|" + name + "=" + value;
    }
    const Result<void> sent = co_await exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  client.send("GET /a%20b?x=1+2&y=%26&z HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\n/a b|x=1 2|y=&|z="));
}

TEST(Server, NoticesThatThePeerHasGone) {
  std::atomic<bool> waits = false;
  std::atomic<int> gone = 0;
  RunningServer server(quick(), [&](Exchange& exchange) -> Task<void> {
    if (exchange.request().path == "/wait") {
      waits = true;
      co_await peer_gone(exchange, HalfClosed::kIsGone);
      ++gone;
    }
    co_await echo_body(exchange);
  });
  {
    RawClient client(server.port());
    client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n" + post("pipelined"));
    EXPECT_TRUE(eventually([&] { return waits.load(); }));
    EXPECT_EQ(gone, 0);
    client.shutdown_send();
    EXPECT_THAT(client.read_answer(), HasSubstr("X-Path: /wait"));
    EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\npipelined"));
  }
  EXPECT_EQ(gone, 1);
}

TEST(Server, LeavesNothingOfClientsThatVanish) {
  RunningServer server(quick(), echo_body);
  const std::size_t before = testing::open_descriptors();
  for (int i = 0; i < 200; ++i) {
    RawClient client(server.port());
    if (i % 3 == 1) client.send("POST / HTTP/1.1\r\nHos");
    if (i % 3 == 2) client.send(post("never read"));
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_TRUE(eventually([&] { return testing::open_descriptors() <= before; }));
}

TEST(Server, RefusesConnectionsOverItsLimit) {
  ServerOptions options = quick();
  options.max_connections = 2;
  RunningServer server(options, echo_body);
  RawClient first(server.port());
  RawClient second(server.port());
  EXPECT_TRUE(eventually([&] { return server.connections() == 2; }));
  RawClient third(server.port());
  third.send(post("x"));
  EXPECT_THAT(third.read_all(), StartsWith("HTTP/1.1 503"));
  first.close();
  EXPECT_TRUE(eventually([&] { return server.connections() < 2; }));
  RawClient fourth(server.port());
  fourth.send(post("x"));
  EXPECT_THAT(fourth.read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST(Server, GoesOnAfterDescriptorsRanOut) {
  RunningServer server(quick(), echo_body);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  RawClient client(server.port());
  client.send(post("before"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
  RawClient waiting(server.port());
  EXPECT_TRUE(eventually([&] { return server.connections() == 2; }));
  const rlimit tight{testing::open_descriptors() + 1, before.rlim_max};
  std::vector<int> filler;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const int reserved = ::dup(0);
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) filler.push_back(fd);
  ::close(reserved);
  RawClient starved(server.port());  // takes the last descriptor, so accepting it fails
  starved.send(post("after"));
  client.send(post("still served"));
  EXPECT_THAT(client.read_answer(), EndsWith("still served"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_THAT(starved.read_answer(), EndsWith("after"));
  for (const int fd : filler) ::close(fd);
}

TEST(Server, StopLetsRunningExchangesEnd) {
  std::atomic<bool> started = false;
  std::atomic<bool> go = false;
  RunningServer server(quick(), [&](Exchange& exchange) -> Task<void> {
    started = true;
    while (!go) co_await sleep_for(1ms);
    co_await echo_body(exchange);
  });
  RawClient client(server.port());
  RawClient idle(server.port());
  client.send(post("last words"));
  EXPECT_TRUE(eventually([&] { return started.load(); }));
  std::thread stopper([&] { server.stop(60s); });
  EXPECT_EQ(idle.read_all(), "");
  go = true;
  const std::string answer = client.read_all();
  EXPECT_THAT(answer, EndsWith("last words"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  stopper.join();
}

TEST(Server, StopCancelsWhatDoesNotEnd) {
  std::atomic<bool> started = false;
  std::atomic<bool> unwound = false;
  RunningServer server(quick(), [&](Exchange&) -> Task<void> {
    struct OnExit {
      explicit OnExit(std::atomic<bool>& to_set) : flag(to_set) {}
      OnExit(const OnExit&) = delete;
      OnExit& operator=(const OnExit&) = delete;
      ~OnExit() { flag = true; }
      std::atomic<bool>& flag;
    };
    const OnExit on_exit(unwound);
    started = true;
    for (;;) co_await sleep_for(1h);
  });
  RawClient client(server.port());
  client.send(post("x"));
  EXPECT_TRUE(eventually([&] { return started.load(); }));
  server.stop(20ms);
  EXPECT_TRUE(unwound);
  EXPECT_EQ(client.read_all(), "");
}

TEST(Server, LetsNobodyConnectBeforeItListens) {
  asio::io_context loop;
  auto server = Server::bind(loop.get_executor(), quick(), echo_body, Logger::silent());
  ASSERT_TRUE(server);
  const asio::ip::tcp::endpoint address(asio::ip::address_v4::loopback(), (*server)->port());
  boost::system::error_code failure;
  asio::ip::tcp::socket(loop).connect(address, failure);
  EXPECT_EQ(failure, asio::error::connection_refused);
  ASSERT_TRUE((*server)->listen());
  asio::ip::tcp::socket(loop).connect(address, failure);
  EXPECT_FALSE(failure);
}

TEST(Server, ExplainsWhyItCannotListen) {
  RunningServer taken(quick(), echo_body);
  asio::io_context loop;
  ServerOptions options;
  options.host_key = "server.http_host";
  options.port_key = "server.http_port";
  options.port = taken.port();
  auto in_use = Server::bind(loop.get_executor(), options, echo_body, Logger::silent());
  ASSERT_FALSE(in_use);
  EXPECT_THAT(in_use.error().explanation, HasSubstr("server.http_port"));
  EXPECT_THAT(in_use.error().suggested_actions.at(0), HasSubstr("another port"));
  options.port = 0;
  options.host = "192.0.2.1";
  auto elsewhere = Server::bind(loop.get_executor(), options, echo_body, Logger::silent());
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().suggested_actions.at(0), HasSubstr("server.http_host"));
}

}  // namespace
}  // namespace relay::http
