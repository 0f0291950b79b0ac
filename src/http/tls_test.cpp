// TLS between the client and the server of this folder: what is verified, and what goes through.
#include "http/client.hpp"
#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace relay::http {
namespace {

using ::testing::HasSubstr;
using testing::kNoHeaders;
using testing::run;
using testing::RunningServer;

// /stream in pieces; everything else gets its own body.
Task<void> serve_over_tls(Exchange& exchange) {
  Response response;
  if (exchange.request().path != "/stream") {
    response.body = std::move(exchange.request().body);
    [[maybe_unused]] const auto sent = co_await exchange.respond(std::move(response));
    co_return;
  }
  const Result<void> started = co_await exchange.start_stream(std::move(response));
  for (const char* part : {"one ", "two ", "three"}) {
    const Result<void> sent = co_await exchange.write(part);
  }
  const Result<void> finished = co_await exchange.finish();
}

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "relay_http_tls_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
    certify("DNS:localhost,IP:127.0.0.1", 2);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void certify(const std::string& names, int days) const {
    const std::string request = directory_ + "/request.pem";
    const std::string command =
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost "
        "-addext 'subjectAltName=" +
        names + "' -keyout " + key() + " -out " + request +
        " 2>/dev/null && openssl x509 -req -in " + request + " -signkey " + key() +
        " -copy_extensions copyall -days " + std::to_string(days) + " -out " + certificate() +
        " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::string key() const { return directory_ + "/key.pem"; }
  std::string certificate() const { return directory_ + "/cert.pem"; }
  ServerOptions options() const {
    ServerOptions out;
    out.tls = TlsFiles{certificate(), key()};
    return out;
  }
  Endpoint endpoint(std::uint16_t port) const {
    Endpoint out;
    out.host = "127.0.0.1";
    out.port = port;
    out.transport = Endpoint::Transport::kTls;
    out.ca_file = certificate();
    return out;
  }

  std::string directory_;
};

TEST_F(TlsTest, ServesLargeBodiesAndStreams) {
  RunningServer server(options(), serve_over_tls);
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    for (const char* host : {"127.0.0.1", "localhost"}) {
      Endpoint with_host = endpoint(server.port());
      with_host.host = host;
      Client client(executor, with_host, {});
      for (const std::size_t size : {0u, 10u, 5000000u}) {
        Request request;
        request.method = "POST";
        request.body = std::string(size, 't');
        const Result<Response> answer = co_await client.request(request);
        EXPECT_TRUE(answer) << answer.error().explanation;
        if (answer) {
          EXPECT_EQ(answer->body.size(), size);
        }
      }
      Request streamed;
      streamed.target = "/stream";
      const Result<Response> answer = co_await client.request(streamed);
      EXPECT_TRUE(answer && answer->body == "one two three");
    }
  });
}

TEST_F(TlsTest, RefusesACertificateNobodySigned) {
  RunningServer server(options(), serve_over_tls);
  run([&]() -> Task<void> {
    const Request plain;
    const auto executor = co_await asio::this_coro::executor;
    Endpoint strict = endpoint(server.port());
    strict.ca_file.clear();
    Client client(executor, strict, {});
    const Result<Response> answer = co_await client.request(plain);
    EXPECT_FALSE(answer);
    if (!answer) {
      EXPECT_THAT(answer.error().explanation, HasSubstr("self-signed"));
    }
    strict.verify_peer = false;
    Client trusting(executor, strict, {});
    const Result<Response> trusted = co_await trusting.request(plain);
    EXPECT_TRUE(trusted);
  });
}

TEST_F(TlsTest, RefusesATrustedCertificateOfAnotherOneOrOfAnotherTime) {
  struct Row {
    const char* names;
    int days;
    const char* host;
    const char* why;
  };
  for (const Row& row : {Row{"DNS:localhost,IP:127.0.0.1", 2, "localhost", nullptr},
                         Row{"DNS:other.example,IP:127.0.0.1", 2, "localhost", "ostname mismatch"},
                         Row{"DNS:localhost,IP:127.0.0.2", 2, "127.0.0.1", "IP address mismatch"},
                         Row{"DNS:localhost", -1, "localhost", "expired"}}) {
    certify(row.names, row.days);
    RunningServer server(options(), serve_over_tls);
    run([&]() -> Task<void> {
      const Request plain;
      const auto executor = co_await asio::this_coro::executor;
      Endpoint strict = endpoint(server.port());
      strict.host = row.host;
      Client client(executor, strict, {});
      const Result<Response> answer = co_await client.request(plain);
      EXPECT_EQ(answer.has_value(), row.why == nullptr) << row.names;
      if (!answer && row.why != nullptr) {
        EXPECT_THAT(answer.error().explanation, HasSubstr(row.why));
      }
    });
  }
}

TEST_F(TlsTest, TakesThePinnedCertificateAloneWhateverItSays) {
  certify("DNS:relay.example", -1);  // another one's name, and expired
  RunningServer server(options(), serve_over_tls);
  run([&]() -> Task<void> {
    const Request plain;
    const auto executor = co_await asio::this_coro::executor;
    Endpoint pinned = endpoint(server.port());
    pinned.ca_file.clear();
    pinned.pinned_file = certificate();
    Client knowing(executor, pinned, {});
    const Result<Response> answer = co_await knowing.request(plain);
    EXPECT_TRUE(answer) << answer.error().explanation;
    certify("DNS:localhost,IP:127.0.0.1", 2);  // which the server does not have
    Client strict(executor, pinned, {});
    const Result<Response> other = co_await strict.request(plain);
    EXPECT_FALSE(other);
    if (!other) {
      EXPECT_THAT(other.error().explanation, HasSubstr("self-signed certificate"));
    }
    pinned.pinned_file = key();
    Client lost(executor, pinned, {});
    const Result<Response> none = co_await lost.request(plain);
    EXPECT_FALSE(none);
    if (!none) {
      EXPECT_THAT(none.error().explanation, HasSubstr(key()));
    }
  });
}

TEST_F(TlsTest, TakesTheOneBeforeAPinnedCertificateThatHasBeenRenewed) {
  certify("DNS:relay.example,IP:192.0.2.7", 2);
  const std::string before = directory_ + "/before.pem";
  std::filesystem::copy_file(certificate(), before);
  RunningServer server(options(), serve_over_tls);
  for (const auto& [names, is_taken] :
       {std::pair{"DNS:other.example,DNS:relay.example", true}, std::pair{"IP:192.0.2.7", true},
        std::pair{"DNS:other.example,IP:192.0.2.8", false}}) {
    certify(names, 2);
    run([&]() -> Task<void> {
      const Request plain;
      const auto executor = co_await asio::this_coro::executor;
      Endpoint pinned = endpoint(server.port());
      pinned.ca_file = before;  // which has signed itself
      pinned.pinned_file = certificate();
      Client client(executor, pinned, {});
      const Result<Response> answer = co_await client.request(plain);
      EXPECT_EQ(answer.has_value(), is_taken) << names;
    });
  }
}

TEST_F(TlsTest, SpeaksWebSocket) {
  RunningServer server(options(), [](Exchange& exchange) -> Task<void> {
    const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
    std::vector<std::string> texts{"small", std::string(3000000, 'L'), "after"};
    const std::vector<std::string> got = co_await (*accepted)->receive();
    EXPECT_EQ(got.size(), 1u);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const Result<void> sent = co_await (*accepted)->send(views);
    EXPECT_TRUE(sent);
  });
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Client client(executor, endpoint(server.port()), {});
    Request request;
    request.headers = {{"Connection", "Upgrade"},
                       {"Upgrade", "websocket"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    auto stream = co_await client.open(request);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const std::string_view hi("\x81\x82\0\0\0\0hi", 8);
    const Result<void> sent = co_await (*stream)->write(hi);
    std::string all;
    for (;;) {
      const Result<std::string> part = co_await (*stream)->read_some();
      if (!part || part->empty()) break;
      all += *part;
    }
    EXPECT_EQ(all.size(), 2 + 5 + 10 + 3000000 + 2 + 5 + 4u);
    EXPECT_THAT(all.substr(all.size() - 11), HasSubstr("after"));
  });
}

TEST_F(TlsTest, SurvivesAClientThatSpeaksPlainHttp) {
  RunningServer server(options(), serve_over_tls);
  testing::RawClient plain(server.port());
  plain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  plain.read_all();
  EXPECT_TRUE(testing::eventually([&] { return server.connections() == 0; }));
}

TEST_F(TlsTest, NamesTheFileThatCannotBeUsed) {
  asio::io_context loop;
  ServerOptions wrong = options();
  wrong.tls->private_key = directory_ + "/missing.pem";
  const auto missing = Server::bind(loop.get_executor(), wrong, serve_over_tls, Logger::silent());
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().explanation, HasSubstr("missing.pem"));
  wrong.tls->private_key = certificate();
  const auto swapped = Server::bind(loop.get_executor(), wrong, serve_over_tls, Logger::silent());
  ASSERT_FALSE(swapped);
  EXPECT_THAT(swapped.error().explanation, HasSubstr("private key"));
}

}  // namespace
}  // namespace relay::http
