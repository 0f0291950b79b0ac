// Real sockets on every side: a test is the agent and the upstream, byte for byte.
#include "egress/door.hpp"

#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace relay::egress {
namespace {

using http::testing::eventually;
using http::testing::RawClient;
using http::testing::RawServer;
using testing::Around;
using testing::DoorTest;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::own_upstream;
using testing::RunningDoor;
using ::testing::StartsWith;

TEST_F(DoorTest, PassesARequestAndItsAnswer) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(
      "POST /own/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:9180\r\n"
      "x-api-key: placeholder\r\nanthropic-version: 1\r\nContent-Length: 4\r\n\r\nbody");
  const auto peer = upstream_.accept();
  EXPECT_EQ(peer->read_until("body"),
            "POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:" +
                std::to_string(upstream_.port()) +
                "\r\nanthropic-version: 1\r\nAuthorization: Bearer real\r\n"
                "Content-Length: 4\r\n\r\nbody");
  peer->send("HTTP/1.1 200 OK\r\nrequest-id: r1\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(agent.read_answer(),
            "HTTP/1.1 200 OK\r\nrequest-id: r1\r\nContent-Length: 5\r\n\r\nhello");
  const Account account = door.accounts(1)[0];
  EXPECT_EQ(account.method, "POST");
  EXPECT_EQ(account.target, "/own/v1/messages?beta=true");
  EXPECT_EQ(account.upstream, "own");
  EXPECT_EQ(account.status, 200);
  EXPECT_EQ(account.sent_bytes, 4U);
  EXPECT_EQ(account.received_bytes, 5U);
  EXPECT_FALSE(account.denial);
}

TEST_F(DoorTest, PassesEventsAsTheyCome) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n");
  EXPECT_EQ(agent.read_until("\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    peer->send("b\r\ndata: one\n\n\r\n");
    EXPECT_EQ(agent.read_until("\n\n\r\n"), "b\r\ndata: one\n\n\r\n");
  }
  peer->send("0\r\nx-sum: 3\r\n\r\n");
  EXPECT_EQ(agent.read_until("\r\n\r\n"), "0\r\nx-sum: 3\r\n\r\n");
}

TEST_F(DoorTest, PassesABodyAsItComes) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(
      "POST /own/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(agent.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  const auto peer = upstream_.accept();
  const std::string head = peer->read_until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  agent.send("3\r\none\r\n");
  EXPECT_EQ(peer->read_until("one\r\n"), "3\r\none\r\n");
  agent.send("3\r\ntwo\r\n0\r\nx-t: 1\r\n\r\n");
  EXPECT_EQ(peer->read_until("x-t: 1\r\n\r\n"), "3\r\ntwo\r\n0\r\nx-t: 1\r\n\r\n");
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("\r\n\r\nok"));
  EXPECT_EQ(door.accounts(1)[0].sent_bytes, 6U);
}

TEST_F(DoorTest, AnswersWhatIsNotAllowedAndGoesOn) {
  std::vector<Upstream> upstreams = own();
  upstreams[0].allow = {{{"GET"}, "/v1/**"}};
  RunningDoor door(upstreams);
  RawClient agent(door.port());
  agent.send("POST /own/v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  const std::string denied = agent.read_answer();
  EXPECT_THAT(denied, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_THAT(denied, HasSubstr("egress.upstreams.own.allow"));
  EXPECT_FALSE(upstream_.has_connection());
  agent.send(kGet);
  const auto peer = upstream_.accept();
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  EXPECT_EQ(door.accounts(2)[0].denial->refusal, Refusal::kNotAllowed);
}

TEST_F(DoorTest, BoundsBodiesAtTheEdge) {
  DoorOptions options;
  options.limits.max_body_bytes = 8;
  RunningDoor door(own(), options);
  RawClient fits(door.port());
  fits.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n12345678");
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("12345678"), EndsWith("\r\n\r\n12345678"));
  for (const std::string_view request :
       {"POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789",
        "POST /own/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789"}) {
    RawClient agent(door.port());
    agent.send(request);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 413 ")) << request;
  }
}

TEST_F(DoorTest, UsesAConnectionAgainAndReplacesOneThatWasClosed) {
  Around around;
  around.to_upstream.max_open = 1;
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  auto peer = ask(agent);
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  agent.send(kGet);
  EXPECT_THAT(peer->read_until("\r\n\r\n"), StartsWith("GET /v1/models"));
  EXPECT_FALSE(upstream_.has_connection());
  // Closed under the request: nothing of an answer has come, and all of the request is there.
  peer->close();
  peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n"), StartsWith("GET /v1/models"));
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
}

TEST_F(DoorTest, NamesAnUpstreamThatIsNotThere) {
  std::string nowhere;
  {
    const RawServer gone;
    nowhere = "http://127.0.0.1:" + std::to_string(gone.port());
  }
  RunningDoor door({own_upstream(nowhere)});
  RawClient agent(door.port());
  agent.send(kGet);
  const std::string answer = agent.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(answer, HasSubstr("Connection refused"));
  EXPECT_THAT(answer, HasSubstr("egress.upstreams.own.url"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: true"));
}

TEST_F(DoorTest, EndsAnAnswerThatIsCutOffWithoutItsEnd) {
  RunningDoor door(own());
  RawClient agent(door.port());
  auto peer = ask(agent);
  peer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n9\r\nhal");
  EXPECT_THAT(agent.read_until("hal\r\n"), HasSubstr("one"));
  peer->close();
  EXPECT_THAT(agent.read_all(), Not(HasSubstr("0\r\n\r\n")));
  const Account account = door.accounts(1)[0];
  EXPECT_EQ(account.status, 200);
  EXPECT_EQ(account.denial->refusal, Refusal::kUnreachable);
}

TEST_F(DoorTest, SkipsInterimAnswersAndEndsAnOldOneWithItsConnection) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall of it");
  peer->close();
  EXPECT_EQ(agent.read_until("0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n");
}

TEST_F(DoorTest, GivesNoBodyToWhatHasNone) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const std::string_view chunked = "Transfer-Encoding: chunked\r\n\r\n";
  for (const auto& [method, status] : {std::pair{"HEAD", "200 OK"}, {"GET", "304 Not Modified"}}) {
    agent.send(std::string(method) + " /own/x HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto peer = upstream_.accept();
    peer->read_until("\r\n\r\n");
    peer->send("HTTP/1.1 " + std::string(status) + "\r\n" + std::string(chunked));
    EXPECT_EQ(agent.read_until("\r\n\r\n"), "HTTP/1.1 " + std::string(status) + "\r\n\r\n");
    peer->shutdown_send();
    agent.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 403 ")) << method;
  }
}

// Of a body that came in more than one read only the last part is still there.
TEST_F(DoorTest, SendsNoPartOfARequestTwice) {
  RunningDoor door(own());
  RawClient agent(door.port());
  auto peer = ask(agent);
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  const std::string body(300'000, 'b');
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + body);
  peer->read_until("bbb");
  peer->close();
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 502 "));
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorTest, PassesAnAnswerThatComesBeforeTheBodyHasAndEndsBothConnections) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  const auto peer = upstream_.accept();
  peer->read_until("half");
  peer->send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_THAT(agent.read_until("no"), HasSubstr("Connection: close\r\n"));
  agent.send("of it.GET /own/x HTTP/1.1\r\nHost: x\r\n\r\n");
  agent.shutdown_send();
  EXPECT_EQ(agent.read_all(), "");
  EXPECT_EQ(peer->read_all(), "");
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorTest, KeepsTheUpstreamOfAnAgentThatCloses) {
  RunningDoor door(own());
  RawClient first(door.port());
  first.send("GET /own/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto peer = upstream_.accept();
  peer->read_until("\r\n\r\n");
  peer->send(kOk);
  EXPECT_THAT(first.read_all(), EndsWith("ok"));
  RawClient second(door.port());
  second.send("GET /own/v2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(peer->read_until("\r\n\r\n"), HasSubstr("GET /v2"));
  peer->send(kOk);
  EXPECT_THAT(second.read_answer(), EndsWith("ok"));
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorTest, LetsAnAgentThatIsStillSendingSeeAnAnswerWithoutABody) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf");
  const auto peer = upstream_.accept();
  peer->read_until("half");
  peer->send("HTTP/1.1 204 No Content\r\n\r\n");
  const std::string answer = agent.read_until("\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 "));
  agent.send(std::string(500'000, 'x'));  // a connection that was closed would be reset by it
  agent.shutdown_send();
  EXPECT_EQ(agent.read_all(), "");
}

TEST_F(DoorTest, PassesARedirectWithoutFollowingIt) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.example/\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_THAT(agent.read_answer(), HasSubstr("Location: https://evil.example/\r\n"));
}

TEST_F(DoorTest, DropsTheUpstreamWhenTheAgentLeaves) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  agent.shutdown_send();
  EXPECT_EQ(peer->read_all(), "");
  EXPECT_EQ(agent.read_all(), "");
  EXPECT_EQ(door.accounts(1)[0].denial->refusal, Refusal::kAgentLeft);
}

TEST_F(DoorTest, HoldsUpAnUpstreamWhoseAgentDoesNotRead) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  constexpr std::size_t kTotal = 64u << 20;
  peer->send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
  const std::string block(64u << 10, 'x');
  std::size_t sent = 0;
  // Full buffers of the sockets on the way, and nothing beside them.
  while (sent < kTotal) {
    const ssize_t taken =
        ::send(peer->fd(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) sent += static_cast<std::size_t>(taken);
    pollfd writable{peer->fd(), POLLOUT, 0};
    if (taken <= 0 && ::poll(&writable, 1, 500) == 0) break;
  }
  EXPECT_LT(sent, kTotal / 2);
  agent.read_until("\r\n\r\n");
  std::thread rest([&] {
    for (; sent < kTotal; sent += block.size()) {
      peer->send(std::string_view(block).substr(0, std::min(block.size(), kTotal - sent)));
    }
  });
  EXPECT_EQ(agent.read_exactly(kTotal).size(), kTotal);
  rest.join();
}

TEST_F(DoorTest, PassesAWebSocketBothWays) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(
      "GET /own/v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
  const auto peer = upstream_.accept();
  const std::string head = peer->read_until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Bearer real\r\n"));
  peer->send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: a\r\n\r\nfirst");
  EXPECT_THAT(agent.read_until("first"), HasSubstr("Sec-WebSocket-Accept: a\r\n"));
  agent.send("up");
  EXPECT_EQ(peer->read_exactly(2), "up");
  peer->send("down");
  EXPECT_EQ(agent.read_exactly(4), "down");
  peer->close();
  EXPECT_EQ(agent.read_all(), "");
  const Account account = door.accounts(1)[0];
  EXPECT_EQ(account.sent_bytes, 2U);
  EXPECT_EQ(account.received_bytes, 9U);
}

TEST_F(DoorTest, BoundsConnectionsAtTheEdge) {
  DoorOptions options;
  options.max_connections = 2;
  RunningDoor door(own(), options);
  const RawClient first(door.port());
  auto second = std::make_unique<RawClient>(door.port());
  ASSERT_TRUE(eventually([&] { return door.connections() == 2; }));
  RawClient third(door.port());
  const std::string refused = third.read_answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("egress.max_connections"));
  third.close();
  second.reset();
  ASSERT_TRUE(eventually([&] { return door.connections() == 1; }));
  RawClient fourth(door.port());
  fourth.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(fourth.read_answer(), StartsWith("HTTP/1.1 403 "));
}

// Others of this machine reach the port of an agent that is a process.
TEST_F(DoorTest, LetsNobodyWithoutTheTokenTakeTheAgentsPlaces) {
  constexpr std::string_view kKnown =
      "GET /other HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t-1\r\n\r\n";
  DoorOptions options;
  options.max_connections = 2;
  Around around;
  around.token = "t-1";
  RunningDoor door(own(), options, around);
  RawClient silent(door.port());
  RawClient wrong(door.port());
  wrong.send("GET /other HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t-2\r\n\r\n");
  EXPECT_THAT(wrong.read_answer(), StartsWith("HTTP/1.1 401 "));
  ASSERT_TRUE(eventually([&] { return door.connections() == 2; }));
  RawClient first(door.port());
  first.send(kKnown);
  EXPECT_THAT(first.read_answer(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(silent.read_all(), "");
  RawClient second(door.port());
  second.send(kKnown);
  EXPECT_THAT(second.read_answer(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(wrong.read_all(), "");
  RawClient third(door.port());
  EXPECT_THAT(third.read_answer(), StartsWith("HTTP/1.1 503 "));
  first.send(kKnown);
  EXPECT_THAT(first.read_answer(), StartsWith("HTTP/1.1 403 "));
  // Nor does who is told so, and stays.
  second.close();
  ASSERT_TRUE(eventually([&] { return door.connections() <= 2; }));
  RawClient fourth(door.port());
  fourth.send(kKnown);
  EXPECT_THAT(fourth.read_answer(), StartsWith("HTTP/1.1 403 "));
}

TEST_F(DoorTest, EndsEverythingWhenItCloses) {
  RunningDoor door(own());
  RawClient idle(door.port());
  RawClient waiting(door.port());
  waiting.send(kGet);
  const auto peer = upstream_.accept();
  peer->read_until("\r\n\r\n");
  door.close();
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_EQ(waiting.read_all(), "");
  EXPECT_EQ(peer->read_all(), "");
}

}  // namespace
}  // namespace relay::egress
