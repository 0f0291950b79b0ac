// CONNECT: hosts that the agent reaches with TLS of its own.
#include "egress/door.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace relay::egress {
namespace {

using http::testing::RawClient;
using testing::Around;
using testing::DoorTest;
using ::testing::HasSubstr;
using testing::RunningDoor;
using ::testing::StartsWith;

class DoorConnectTest : public DoorTest {
 protected:
  Around with_tunnel() const {
    Around around;
    around.tunnels = {{"localhost", false, upstream_.port()}};
    around.admits = [](const auto&, const auto&) { return true; };
    return around;
  }
  std::string request() const {
    const std::string host = "localhost:" + std::to_string(upstream_.port());
    return "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  }
};

TEST_F(DoorConnectTest, CarriesBytesBothWaysAndCountsThem) {
  RunningDoor door(own(), {}, with_tunnel());
  RawClient agent(door.port());
  agent.send(request() + "early");
  const auto peer = upstream_.accept();
  EXPECT_EQ(peer->read_exactly(5), "early");
  EXPECT_EQ(agent.read_until("\r\n\r\n"), "HTTP/1.1 200 Connection Established\r\n\r\n");
  peer->send("answer");
  EXPECT_EQ(agent.read_exactly(6), "answer");
  agent.close();
  EXPECT_EQ(peer->read_all(), "");
  const Account account = door.accounts(1)[0];
  EXPECT_EQ(account.method, "CONNECT");
  EXPECT_EQ(account.upstream, "localhost:" + std::to_string(upstream_.port()));
  EXPECT_EQ(account.status, 200);
  EXPECT_EQ(account.sent_bytes, 5U);
  EXPECT_EQ(account.received_bytes, 6U);
  EXPECT_FALSE(account.denial);
}

TEST_F(DoorConnectTest, EndsForTheAgentWhenTheHostEnds) {
  RunningDoor door(own(), {}, with_tunnel());
  RawClient agent(door.port());
  agent.send(request());
  auto peer = upstream_.accept();
  agent.read_until("\r\n\r\n");
  peer->send("last");
  peer->close();
  EXPECT_EQ(agent.read_all(), "last");
}

TEST_F(DoorConnectTest, IsDeniedWhereItWouldLeadToThisMachine) {
  Around around = with_tunnel();
  around.admits = is_elsewhere;
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send(request());
  EXPECT_THAT(agent.read_answer(), HasSubstr("localhost stands for this machine"));
  EXPECT_FALSE(upstream_.has_connection());
  EXPECT_EQ(door.accounts(1)[0].denial->refusal, Refusal::kNotAllowed);
}

// Loopback stands for an address of one of the machine's interfaces.
TEST_F(DoorConnectTest, IsDeniedWhereItWouldLeadToAnAddressOfThisMachine) {
  Around around = with_tunnel();
  around.admits = [](const auto& address, const auto& own) {
    return std::ranges::find(own, address) == own.end();
  };
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send(request());
  EXPECT_THAT(agent.read_answer(), HasSubstr("localhost stands for this machine"));
  EXPECT_FALSE(upstream_.has_connection());
  EXPECT_EQ(door.accounts(1)[0].denial->refusal, Refusal::kNotAllowed);
}

TEST_F(DoorConnectTest, IsDeniedOtherwise) {
  RunningDoor without(own());
  RawClient none(without.port());
  none.send(request());
  EXPECT_THAT(none.read_answer(), StartsWith("HTTP/1.1 405 "));
  RunningDoor door(own(), {}, with_tunnel());
  for (const std::string& target :
       {std::string("localhost:1"), "127.0.0.1:" + std::to_string(upstream_.port()),
        "[::1]:" + std::to_string(upstream_.port())}) {
    RawClient agent(door.port());
    agent.send("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 403 ")) << target;
  }
  RawClient with_body(door.port());
  with_body.send("CONNECT localhost:" + std::to_string(upstream_.port()) +
                 " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  EXPECT_THAT(with_body.read_answer(), StartsWith("HTTP/1.1 400 "));
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorConnectTest, SaysWhyTheHostIsNotReached) {
  Around around = with_tunnel();
  around.tunnels.push_back({"nowhere.invalid", false, 443});
  around.to_upstream.max_open = 0;
  RunningDoor full(own(), {}, around);
  RawClient one_too_many(full.port());
  one_too_many.send(request());
  EXPECT_THAT(one_too_many.read_answer(), StartsWith("HTTP/1.1 503 "));
  around.to_upstream.max_open = 1;
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send("CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(agent.read_answer(), HasSubstr("nowhere.invalid is not found"));
}

TEST_F(DoorConnectTest, EndsWhereNobodySaysAnything) {
  Around around = with_tunnel();
  around.idle = std::chrono::hours(1);
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  agent.send(request());
  const auto peer = upstream_.accept();
  agent.read_until("\r\n\r\n");
  EXPECT_TRUE(door.all_time_out());
  EXPECT_EQ(agent.read_all(), "");
  EXPECT_EQ(peer->read_all(), "");
  EXPECT_EQ(door.accounts(1)[0].denial->key, "egress.idle_timeout");
}

}  // namespace
}  // namespace relay::egress
