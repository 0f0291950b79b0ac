// The credential of an upstream on its way, and on no other one.
#include "egress/door.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace relay::egress {
namespace {

using http::testing::RawClient;
using testing::DoorTest;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunningDoor;
using ::testing::StartsWith;

using DoorCredentialTest = DoorTest;

constexpr std::string_view kUnauthorizedAnswer =
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";

TEST_F(DoorCredentialTest, IsNotThereAndOnlyTheLogSaysWhy) {
  RunningDoor door(own());
  RawClient agent(door.port());
  door.forget_credential("it cannot be had from /run/secrets/own");
  agent.send(kGet);
  const std::string answer = agent.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(answer, HasSubstr("the credential of own cannot be had; the relay's log says why"));
  EXPECT_THAT(answer, Not(HasSubstr("/run/secrets")));
  EXPECT_THAT(door.accounts(1)[0].denial->detail, HasSubstr("/run/secrets/own"));
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(DoorCredentialTest, IsReplacedOnceWhenItIsRefusedAndAnotherOneIsThere) {
  RunningDoor door(own());
  door.give_credential("old", "new");
  RawClient agent(door.port());
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("body"), HasSubstr("Bearer old\r\n"));
  peer->send(kUnauthorizedAnswer);
  const auto again = upstream_.accept();
  EXPECT_THAT(again->read_until("body"), HasSubstr("Bearer new\r\n"));
  again->send(kUnauthorizedAnswer);
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 401 "));
  EXPECT_FALSE(upstream_.has_connection());
  EXPECT_EQ(door.spent().requests, 1U);
}

TEST_F(DoorCredentialTest, IsRefusedToTheAgentWhereThereIsNoOther) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(kUnauthorizedAnswer);
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 401 "));
  EXPECT_EQ(door.refusals(), 1U);
  // The same where not all of the request is still here.
  door.give_credential("old", "new");
  agent.send("POST /own/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
  EXPECT_THAT(peer->read_until("half"), HasSubstr("Bearer old\r\n"));
  peer->send(kUnauthorizedAnswer);
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 401 "));
  EXPECT_EQ(door.refusals(), 2U);
  EXPECT_FALSE(upstream_.has_connection());
}

// An exception in the middle, while others wait for the same agent and upstream.
TEST_F(DoorCredentialTest, LeavesNothingBehindWhenMemoryRunsOut) {
  RunningDoor door(own());
  door.fail_when_refused();
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(kUnauthorizedAnswer);
  EXPECT_EQ(agent.read_all(), "");
  EXPECT_EQ(peer->read_all(), "");
  EXPECT_TRUE(http::testing::eventually([&] { return door.connections() == 0; }));
  EXPECT_EQ(door.accounts(1)[0].status, 0);
  RawClient next(door.port());
  const auto other = ask(next);
  other->send(kOk);
  EXPECT_THAT(next.read_answer(), EndsWith("ok"));
}

TEST_F(DoorCredentialTest, DoesNotComeBackInARedirect) {
  std::vector<Upstream> upstreams = own();
  upstreams[0].credential = {CredentialPlace::Kind::kQuery, "key", ""};
  RunningDoor door(upstreams);
  door.give_credential("s3cret/1", "");
  RawClient agent(door.port());
  agent.send(kGet);
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n"), HasSubstr("?key=s3cret%2F1 "));
  peer->send(
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2?key=s3cret%2F1&a=b\r\nX-Echo: s3cret/1\r\n"
      "Set-Cookie: id=1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(agent.read_answer(),
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2?key=***&a=b\r\nX-Echo: ***\r\n"
            "Content-Length: 0\r\n\r\n");
}

}  // namespace
}  // namespace relay::egress
