// A session's budget while requests are under way.
#include "egress/door.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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

using BudgetedDoorTest = DoorTest;

Around budgeted(Budget budget) {
  Around around;
  around.budget = budget;
  return around;
}

std::string head_of_chunks() { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; }

std::string said(int tokens) { return R"({"total_tokens":)" + std::to_string(tokens) + "}"; }

TEST_F(BudgetedDoorTest, CountsRequestsThatAreUnderWayTogether) {
  RunningDoor door(own(), {}, budgeted({1, 0, 0}));
  RawClient first(door.port());
  const auto peer = ask(first);
  RawClient second(door.port());
  second.send(kGet);
  const std::string refused = second.read_answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refused, HasSubstr("egress.upstreams.own.budget.requests"));
  peer->send(kOk);
  EXPECT_THAT(first.read_answer(), EndsWith("ok"));
  EXPECT_FALSE(upstream_.has_connection());
}

TEST_F(BudgetedDoorTest, GivesBackARequestThatDidNotGoOut) {
  std::string nowhere;
  {
    const RawServer gone;
    nowhere = "http://127.0.0.1:" + std::to_string(gone.port());
  }
  RunningDoor door({own_upstream(nowhere)}, {}, budgeted({1, 0, 0}));
  RawClient agent(door.port());
  for (int i = 0; i < 2; ++i) {
    agent.send(kGet);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 502 "));
  }
  EXPECT_EQ(door.spent().requests, 0U);
}

TEST_F(BudgetedDoorTest, SaysSoWhereNothingOfAnAnswerFits) {
  RunningDoor door(own(), {}, budgeted({0, 4, 0}));
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
  const std::string refused = agent.read_answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refused, HasSubstr("egress.upstreams.own.budget.bytes"));
  EXPECT_EQ(door.accounts(1)[0].status, 429);
}

TEST_F(BudgetedDoorTest, SaysSoToAnAgentThatStillSends) {
  RunningDoor door(own(), {}, budgeted({0, 10, 0}));
  RawClient agent(door.port());
  agent.send(
      "POST /own/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n");
  const auto peer = upstream_.accept();
  peer->read_until("123456\r\n");
  peer->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 429 "));
  agent.close();
  EXPECT_EQ(door.accounts(1)[0].status, 429);
  EXPECT_TRUE(eventually([&] { return door.connections() == 0; }));
}

TEST_F(BudgetedDoorTest, CutsAStreamOffThatPassesItsBytes) {
  RunningDoor door(own(), {}, budgeted({0, 12, 0}));
  RawClient first(door.port());
  const auto one = ask(first);
  one->send(head_of_chunks() + "6\r\n123456\r\n");
  EXPECT_THAT(first.read_until("123456\r\n"), StartsWith("HTTP/1.1 200 "));
  RawClient second(door.port());
  const auto two = ask(second);
  two->send(head_of_chunks() + "6\r\n123456\r\n");
  EXPECT_THAT(second.read_until("123456\r\n"), StartsWith("HTTP/1.1 200 "));
  one->send("1\r\n7\r\n");
  EXPECT_EQ(first.read_all(), "");
  EXPECT_EQ(one->read_all(), "");
  const Account account = door.accounts(1)[0];
  EXPECT_EQ(account.status, 200);
  EXPECT_EQ(account.denial->refusal, Refusal::kOverBudget);
  EXPECT_EQ(account.denial->key, "egress.upstreams.own.budget.bytes");
}

TEST_F(BudgetedDoorTest, RefusesABodyThatPassesItsBytes) {
  RunningDoor door(own(), {}, budgeted({0, 10, 0}));
  const std::string head = "POST /own/v1 HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& at_once :
       {head + "Content-Length: 11\r\n\r\n", chunked + "b\r\n12345678901\r\n0\r\n\r\n"}) {
    RunningDoor other(own(), {}, budgeted({0, 10, 0}));
    RawClient agent(other.port());
    agent.send(at_once);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 429 "));
    EXPECT_FALSE(upstream_.has_connection());
    EXPECT_EQ(other.spent().requests, 0U);
  }
  RawClient in_parts(door.port());
  in_parts.send(chunked + "6\r\n123456\r\n");
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("123456\r\n"), StartsWith("POST "));
  in_parts.send("5\r\n12345\r\n");
  EXPECT_THAT(in_parts.read_answer(), StartsWith("HTTP/1.1 429 "));
  EXPECT_EQ(peer->read_all(), "");
}

TEST_F(BudgetedDoorTest, CutsAWebSocketOffThatPassesItsBytes) {
  for (const bool upwards : {true, false}) {
    RunningDoor door(own(), {}, budgeted({0, 10, 0}));
    RawClient agent(door.port());
    const auto peer = upgrade(agent);
    RawClient& from = upwards ? agent : *peer;
    RawClient& to = upwards ? *peer : agent;
    from.send("1234567890");
    EXPECT_EQ(to.read_exactly(10), "1234567890");
    from.send("1");
    EXPECT_EQ(to.read_all(), "");
    EXPECT_EQ(from.read_all(), "");
    EXPECT_EQ(door.accounts(1)[0].denial->refusal, Refusal::kOverBudget);
  }
}

TEST_F(BudgetedDoorTest, LetsAnAnswerFinishThatUsesUpItsTokens) {
  RunningDoor door(own(), {}, budgeted({0, 0, 10}));
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(head_of_chunks() + "14\r\n" + said(11) + " \r\n");
  agent.read_until(" \r\n");
  RawClient other(door.port());
  other.send(kGet);
  EXPECT_THAT(other.read_answer(), HasSubstr("egress.upstreams.own.budget.tokens"));
  peer->send("3\r\nend\r\n0\r\n\r\n");
  EXPECT_THAT(agent.read_until("0\r\n\r\n"), HasSubstr("end"));
  EXPECT_EQ(door.spent().tokens, 11U);
}

TEST_F(BudgetedDoorTest, AddsUpTheAnswersOfAWebSocketAndEndsItWhenTheirTokensAreUsedUp) {
  for (const bool asks_again : {true, false}) {
    RunningDoor door(own(), {}, budgeted({0, 0, 100}));
    RawClient agent(door.port());
    const auto peer = upgrade(agent);
    for (const int tokens : {40, 60}) {
      agent.send("more");
      EXPECT_EQ(peer->read_exactly(4), "more");
      peer->send(said(tokens));
      EXPECT_EQ(agent.read_until("}"), said(tokens));
    }
    // Two were asked for in advance, say.
    if (asks_again) {
      agent.send("more");
    } else {
      peer->send(said(1));
    }
    EXPECT_EQ(agent.read_all(), "");
    EXPECT_EQ(peer->read_all(), "");
    const Account account = door.accounts(1)[0];
    EXPECT_GE(account.tokens, 100U);
    EXPECT_EQ(account.denial->key, "egress.upstreams.own.budget.tokens");
  }
}

TEST_F(BudgetedDoorTest, HasAnswersThatCanBeReadWhereTokensAreCounted) {
  for (const bool counts : {true, false}) {
    RunningDoor door(own(), {}, budgeted({0, 0, counts ? 1U : 0U}));
    RawClient agent(door.port());
    agent.send(
        "GET /own/v1?$fields=candidates&alt=sse HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
        "X-Goog-FieldMask: candidates\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    const auto peer = upstream_.accept();
    const std::string head = peer->read_until("\r\n\r\n");
    const std::string coding = counts ? "identity" : "gzip";
    EXPECT_THAT(head, HasSubstr("\r\nAccept-Encoding: " + coding + "\r\n"));
    EXPECT_THAT(head,
                StartsWith(counts ? "GET /v1?alt=sse " : "GET /v1?$fields=candidates&alt=sse "));
    for (const char* hiding : {"permessage-deflate", "X-Goog-FieldMask"}) {
      EXPECT_EQ(head.find(hiding) == std::string::npos, counts) << hiding;
    }
  }
}

}  // namespace
}  // namespace relay::egress
