// What is waited for, how long, and how many connections there may be.
#include "egress/door.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/types.h>

namespace relay::egress {
namespace {

using http::testing::eventually;
using http::testing::RawClient;
using testing::Around;
using testing::DoorTest;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::own_upstream;
using testing::RunningDoor;
using ::testing::StartsWith;

using DoorTimeTest = DoorTest;

Around idle_for_an_hour() {
  Around around;
  around.silence = std::chrono::hours(24);
  around.idle = std::chrono::hours(1);
  return around;
}

// Until nothing more is taken.
void fill(const RawClient& peer, RunningDoor& door) {
  const std::string block(64u << 10, 'x');
  int times_full = 0;
  while (times_full < 50) {
    const ssize_t taken =
        ::send(peer.fd(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    times_full = taken > 0 ? 0 : times_full + 1;
    door.connections();  // the loop has had a turn
  }
}

TEST_F(DoorTimeTest, EndsAConnectionOnWhichNothingIsAsked) {
  RunningDoor door(own(), {}, idle_for_an_hour());
  RawClient never(door.port());
  ASSERT_TRUE(eventually([&] { return door.connections() == 1; }));
  EXPECT_TRUE(door.all_time_out());
  EXPECT_EQ(never.read_all(), "");
  RawClient once(door.port());
  const auto peer = ask(once);
  // What is waited for is not idle.
  door.tick(AgentConnection::Clock::now() + std::chrono::hours(2));
  peer->send(kOk);
  EXPECT_THAT(once.read_answer(), EndsWith("ok"));
  EXPECT_TRUE(door.all_time_out());
  EXPECT_EQ(once.read_all(), "");
}

TEST_F(DoorTimeTest, WaitsLongForTheAgentAndNotForWhoHasShownNoToken) {
  Around around;
  around.token = "t-1";
  around.idle = std::chrono::hours(1);
  RunningDoor door(own(), {}, around);
  RawClient known(door.port());
  const std::string_view ask = "GET /no HTTP/1.1\r\nHost: x\r\nX-Api-Key: t-1\r\n\r\n";
  known.send(ask);
  EXPECT_THAT(known.read_answer(), StartsWith("HTTP/1.1 403 "));
  RawClient silent(door.port());
  ASSERT_TRUE(eventually([&] { return door.connections() == 2; }));
  door.tick(AgentConnection::Clock::now() + std::chrono::minutes(1));
  EXPECT_EQ(silent.read_all(), "");
  known.send(ask);
  EXPECT_THAT(known.read_answer(), StartsWith("HTTP/1.1 403 "));
}

TEST_F(DoorTimeTest, EndsAWebSocketOnWhichNobodySaysAnything) {
  RunningDoor door(own(), {}, idle_for_an_hour());
  RawClient agent(door.port());
  const auto peer = upgrade(agent);
  EXPECT_TRUE(door.all_time_out());
  EXPECT_EQ(agent.read_all(), "");
  EXPECT_EQ(peer->read_all(), "");
  EXPECT_EQ(door.accounts(1)[0].denial->key, "egress.idle_timeout");
}

// Or it would hold a connection to the upstream as long as it likes.
TEST_F(DoorTimeTest, EndsAnAnswerThatTheAgentDoesNotRead) {
  for (const bool is_tunnel : {false, true}) {
    RunningDoor door(own(), {}, idle_for_an_hour());
    RawClient agent(door.port());
    const auto peer = is_tunnel ? upgrade(agent) : ask(agent);
    if (!is_tunnel) peer->send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    fill(*peer, door);
    EXPECT_TRUE(door.all_time_out());
    EXPECT_LT(agent.read_all().size(), 1'000'000'000U);
    EXPECT_EQ(door.accounts(1)[0].denial->key, "egress.idle_timeout");
  }
}

TEST_F(DoorTimeTest, EndsAConnectionWhoseAgentDoesNotReadWhyItIsDenied) {
  for (const std::string_view request :
       {"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "GET /own/v1\r\n\r\n",
        "POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        "Expect: 100-continue\r\n\r\n"}) {
    RunningDoor door(own(), {}, idle_for_an_hour());
    const auto agent = door.deaf_agent(request);
    ASSERT_TRUE(eventually([&] { return door.spent().requests > 0 || !door.accounts(0).empty(); }));
    EXPECT_TRUE(door.all_time_out()) << request;
    door.accounts(1);
  }
  DoorOptions none;
  none.max_connections = 0;
  RunningDoor full(own(), none, idle_for_an_hour());
  const auto one_too_many = full.deaf_agent({});
  EXPECT_TRUE(full.all_time_out());
}

TEST_F(DoorTimeTest, LeavesNoPlaceAtTheUpstreamToAnAgentThatDoesNotReadItsDenial) {
  Around around = idle_for_an_hour();
  around.to_upstream.max_open = 1;
  RunningDoor door(own(), {}, around);
  const auto deaf = door.deaf_agent(kGet);
  const auto asked = upstream_.accept();
  asked->read_until("\r\n\r\n");
  asked->send("this is no answer\r\n\r\n");
  door.accounts(1);
  EXPECT_TRUE(door.all_time_out());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
}

TEST_F(DoorTimeTest, SaysThatTheAgentSendsNothingMore) {
  Around around;
  around.silence = std::chrono::hours(1);
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12");
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n12"), EndsWith("12"));
  EXPECT_EQ(door.connections(), 1U);  // the loop has come to wait for more
  door.tick(AgentConnection::Clock::now() + 2 * around.silence);
  EXPECT_THAT(agent.read_answer(), HasSubstr("the agent has sent nothing more of its request"));
}

// On a connection whose way has ended, say: what is written goes nowhere.
TEST_F(DoorTimeTest, EndsARequestThatTheUpstreamDoesNotTake) {
  DoorOptions options;
  options.limits.max_header_bytes = 16u << 20;
  Around around;
  around.silence = std::chrono::hours(1);
  RunningDoor door(own(), options, around);
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  // More than the buffers on the way have room for.
  const std::string large(8u << 20, 'x');
  agent.send("GET /own/v1 HTTP/1.1\r\nHost: x\r\nX-Large: " + large + "\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return door.spent().requests == 2; }));
  EXPECT_TRUE(eventually([&] {
    door.tick(AgentConnection::Clock::now() + 2 * around.silence);
    return door.accounts(1).size() == 2;
  }));
  const std::string refused = agent.read_answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 504 "));
  EXPECT_THAT(refused, HasSubstr("egress.silence"));
  // It is not sent once more.
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorTimeTest, LetsABodyTakeLongThatMoves) {
  Around around;
  around.silence = std::chrono::hours(1);
  around.idle = std::chrono::hours(3);
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n1");
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n1"), EndsWith("1"));
  agent.send("2");
  EXPECT_EQ(peer->read_exactly(1), "2");
  EXPECT_EQ(door.connections(), 1U);  // the loop has come to wait for more, and for the answer
  const auto before = AgentConnection::Clock::now();
  agent.send("3");
  EXPECT_EQ(peer->read_exactly(1), "3");
  door.tick(before + around.silence);
  agent.send("4");
  EXPECT_EQ(peer->read_exactly(1), "4");
  door.tick(AgentConnection::Clock::now() + 2 * around.silence);
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 504 "));
}

TEST_F(DoorTimeTest, ConnectsForNoAgentThatHasLeft) {
  Around around;
  around.to_upstream.connect_timeout = std::chrono::hours(1);
  for (const std::string_view request :
       {std::string_view(kGet),
        std::string_view("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")}) {
    // Nobody answers its handshake.
    RunningDoor door({own_upstream("https://127.0.0.1:" + std::to_string(upstream_.port()))}, {},
                     around);
    RawClient agent(door.port());
    agent.send(request);
    const auto peer = upstream_.accept();
    peer->read_exactly(1);  // of the handshake
    agent.close();
    EXPECT_NE(peer->read_all(), "");
    EXPECT_EQ(door.accounts(1)[0].denial->refusal, Refusal::kAgentLeft);
    EXPECT_EQ(door.spent().requests, 0U);
  }
}

TEST_F(DoorTimeTest, BoundsTheConnectionsToAnUpstreamAtTheEdge) {
  Around around;
  around.to_upstream.max_open = 2;
  RunningDoor door(own(), {}, around);
  RawClient first(door.port());
  RawClient second(door.port());
  const auto one = ask(first);
  auto two = ask(second);
  RawClient third(door.port());
  third.send(kGet);
  const std::string refused = third.read_answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("egress.max_upstream_connections"));
  two->send(kOk);
  EXPECT_THAT(second.read_answer(), EndsWith("ok"));
  door.accounts(2);
  // What waits is used again, and what has ended makes room.
  third.send(kGet);
  EXPECT_THAT(two->read_until("\r\n\r\n"), StartsWith("GET "));
  two->send(kOk);
  EXPECT_THAT(third.read_answer(), EndsWith("ok"));
  two->close();
  first.close();
  EXPECT_EQ(one->read_all(), "");
  RawClient fourth(door.port());
  const auto four = ask(fourth);
  four->send(kOk);
  EXPECT_THAT(fourth.read_answer(), EndsWith("ok"));
}

TEST_F(DoorTimeTest, FindsAnUpstreamByItsName) {
  RunningDoor door({own_upstream("http://localhost:" + std::to_string(upstream_.port()))});
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  RunningDoor other({own_upstream("http://name.invalid:1")});
  RawClient lost(other.port());
  lost.send(kGet);
  EXPECT_THAT(lost.read_answer(), StartsWith("HTTP/1.1 502 "));
}

}  // namespace
}  // namespace relay::egress
