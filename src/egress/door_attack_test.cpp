// What an agent may try from inside its container, and what an upstream may answer.
#include "egress/door.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace relay::egress {
namespace {

using http::testing::RawClient;
using testing::DoorTest;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunningDoor;
using ::testing::StartsWith;

using AttackTest = DoorTest;

std::string get(std::string_view headers) {
  return "GET /own/v1 HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

std::string post(std::string_view headers, std::string_view body) {
  return "POST /own/v1 HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

TEST_F(AttackTest, RefusesWhatServersReadInDifferentWays) {
  RunningDoor door(own());
  const std::string nul("X-A: a\0b\r\n", 10);
  for (const std::string& request : {
           // Two ends of one body.
           post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
           post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
           post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
           post("Content-Length: 1, 2\r\n", "ab"),
           post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
           post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
           post("Transfer-Encoding: identity\r\n", ""),
           post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
           post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
           post("Content-Length: +4\r\n", "body"),
           post("Content-Length: -1\r\n", "body"),
           post("Content-Length: 0x4\r\n", "body"),
           post("Content-Length: 99999999999999999999\r\n", "body"),
           std::string("POST /own/v1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           // Ends of lines.
           std::string("GET /own/v1 HTTP/1.1\nHost: x\n\n"),
           get("X-A: a\nX-B: b\r\n"),
           get("X-A: a\rX-B: b\r\n"),
           get(nul),
           get(": a\r\n"),
           get("X A: a\r\n"),
           // Other paths, hosts, protocols.
           std::string("GET http://127.0.0.1/own/v1 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET http://other/own/v1 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /own/v1/../admin HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /own/v1%2f..%2fadmin HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /own/v1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
           std::string("GET /own/v1 HTTP/1.1\r\n\r\n"),
           std::string("GET /own/v1\r\n\r\n"),
           std::string("GET /own/v1 HTTP/2.0\r\nHost: x\r\n\r\n"),
           std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
           std::string("GET  /own/v1 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string(33, 'G') + " /own/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
           std::string("\x16\x03\x01 hello\r\n\r\n"),
           // In the body, before anything of it was passed on.
           chunked("x\r\n"),
           chunked("-1\r\n"),
           chunked("0x1\r\na\r\n0\r\n\r\n"),
           chunked("fffffffffffffffff\r\na"),
           chunked("1;" + std::string(40'000, 'e')),
       }) {
    RawClient agent(door.port());
    agent.send(request);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << request;
  }
}

TEST_F(AttackTest, BoundsTheHeadOfARequest) {
  RunningDoor door(own());
  std::string many;
  for (int i = 0; i < 9'000; ++i) many += "X-A: a\r\n";
  const std::size_t most = (64u << 10) - get("X-A: \r\n").size();
  for (const std::string& headers : {many, "X-A: " + std::string(most + 1, 'a') + "\r\n",
                                     std::string(70'000, 'a') + ": a\r\n"}) {
    RawClient agent(door.port());
    agent.send(get(headers));
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 431 "));
  }
  EXPECT_FALSE(upstream_.has_connection());
  RawClient agent(door.port());
  agent.send(get("X-A: " + std::string(most, 'a') + "\r\n"));
  const auto peer = upstream_.accept();
  peer->read_until("\r\n\r\n");
  peer->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
}

// Chunks go out as they came in the relay's own framing, so what stands behind their sizes does
// not.
TEST_F(AttackTest, EndsABodyThatGoesWrongLater) {
  for (const std::string& rest : {std::string("aXX\r\n"), "a\r\n1;" + std::string(40'000, 'e'),
                                  "a\r\n0\r\n" + std::string(40'000, 't') + ": a\r\n"}) {
    RunningDoor door(own());
    RawClient agent(door.port());
    agent.send(chunked("1;x=y\r\na\r\n"));
    const auto peer = upstream_.accept();
    EXPECT_THAT(peer->read_until("a\r\n"), Not(HasSubstr("x=y")));
    agent.send("1\r\n" + rest);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 400 ")) << rest.substr(0, 9);
    EXPECT_THAT(peer->read_all(), Not(HasSubstr("0\r\n\r\n")));
  }
}

TEST_F(AttackTest, JoinsALineThatIsFolded) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(get("X-A: a\r\n Authorization: b\r\n"));
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n"), HasSubstr("\r\nX-A: a Authorization: b\r\n"));
}

TEST_F(AttackTest, PassesNoCredentialBehindABody) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(chunked("0\r\nx-api-key: mine\r\nAuthorization: b\r\nHost: y\r\nX-Sum: 1\r\n\r\n"));
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("X-Sum: 1\r\n\r\n"), EndsWith("\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"));
  RawClient framing(door.port());
  framing.send(chunked("0\r\nTransfer-Encoding: gzip\r\n\r\n"));
  EXPECT_THAT(framing.read_answer(), StartsWith("HTTP/1.1 400 "));
}

struct BadAnswer {
  std::string_view name, answer;
  int status;
  Refusal refusal;
};

class BadUpstreamTest : public DoorTest, public ::testing::WithParamInterface<BadAnswer> {};

TEST_P(BadUpstreamTest, IsAnsweredWithItsCause) {
  testing::Around around;
  const bool is_silent = GetParam().refusal == Refusal::kTimedOut;
  if (is_silent) around.silence = std::chrono::milliseconds(500);
  RunningDoor door(own(), {}, around);
  RawClient agent(door.port());
  const auto peer = ask(agent);
  peer->send(GetParam().answer);
  if (!is_silent) peer->shutdown_send();
  const std::string answer = agent.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(GetParam().status)));
  EXPECT_THAT(answer, HasSubstr("acp-relay: own"));
  EXPECT_EQ(door.accounts(1)[0].denial->refusal, GetParam().refusal);
}

constexpr Refusal kBad = Refusal::kBadAnswer;

INSTANTIATE_TEST_SUITE_P(
    Door, BadUpstreamTest,
    ::testing::Values(
        BadAnswer{"closes", "", 502, Refusal::kUnreachable},
        BadAnswer{"closes_in_the_head", "HTTP/1.1 200 OK\r\nContent-", 502, Refusal::kUnreachable},
        BadAnswer{"garbage", "220 smtp.example.com ESMTP\r\n\r\n", 502, kBad},
        BadAnswer{"two_lengths",
                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, kBad},
        BadAnswer{"length_and_chunks",
                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0\r\n\r\n",
                  502, kBad},
        BadAnswer{"negative_length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502, kBad},
        BadAnswer{"length_without_end",
                  "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 502, kBad},
        BadAnswer{"other_coding",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502,
                  kBad},
        BadAnswer{"coding_of_old", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  502, kBad},
        BadAnswer{"no_status", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", 502, kBad},
        BadAnswer{"bare_line_feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", 502, kBad},
        BadAnswer{"http_2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 502, kBad},
        BadAnswer{"upgrade_not_asked_for",
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\n\r\n",
                  502, kBad},
        BadAnswer{"says_nothing", "", 504, Refusal::kTimedOut},
        BadAnswer{"says_half_a_head", "HTTP/1.1 200 OK\r\n", 504, Refusal::kTimedOut}),
    [](const auto& row) { return std::string(row.param.name); });

std::string interim_answers(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += "HTTP/1.1 100 Continue\r\n\r\n";
  return all;
}

std::string answer_with_a_head_of(std::size_t bytes) {
  const std::string start = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: ";
  const std::string end = "\r\n\r\n";
  return start + std::string(bytes - start.size() - end.size(), 'a') + end + "ok";
}

TEST_F(AttackTest, BoundsWhatComesBeforeAnAnswer) {
  const std::string ok(kOk);
  for (const std::string& just : {answer_with_a_head_of(64u << 10), interim_answers(32) + ok}) {
    RunningDoor door(own());
    RawClient agent(door.port());
    const auto peer = ask(agent);
    peer->send(just);
    EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  }
  std::string lines = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2'000; ++i) lines += "X-Endless: " + std::string(100, 'x') + "\r\n";
  for (const std::string& more :
       {lines, answer_with_a_head_of((64u << 10) + 1), interim_answers(33) + ok}) {
    RunningDoor door(own());
    RawClient agent(door.port());
    const auto peer = ask(agent);
    peer->send(more);
    EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 502 "));
    EXPECT_EQ(door.accounts(1)[0].denial->refusal, kBad);
  }
}

// Another session's request would have it for its answer.
TEST_F(AttackTest, UsesNoConnectionAgainThatSaysMoreThanItsAnswer) {
  RunningDoor door(own());
  RawClient agent(door.port());
  const std::string more = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
  auto peer = ask(agent);
  peer->send(std::string(kOk) + more);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  auto next = ask(agent);
  next->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  // The same when it comes later. Its end shows that it was found.
  next->send(more);
  auto last = ask(agent);
  EXPECT_EQ(next->read_all(), "");
  last->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
}

TEST_F(AttackTest, UsesNoConnectionAgainWhoseUpgradeWasRefused) {
  RunningDoor door(own());
  RawClient agent(door.port());
  agent.send(get("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  const auto peer = upstream_.accept();
  EXPECT_THAT(peer->read_until("\r\n\r\n"), HasSubstr("\r\nUpgrade: websocket\r\n"));
  peer->send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_THAT(agent.read_answer(), StartsWith("HTTP/1.1 426 "));
  EXPECT_EQ(peer->read_all(), "");
  const auto next = ask(agent);
  next->send(kOk);
  EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
}

TEST_F(AttackTest, EndsAnAnswerWhoseChunksGoWrong) {
  for (const std::string_view rest : {"x\r\n", "-1\r\n", "fffffffffffffffff\r\n", "1\r\naXX\r\n"}) {
    RunningDoor door(own());
    RawClient agent(door.port());
    const auto peer = ask(agent);
    peer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    agent.read_until("one\r\n");
    peer->send(rest);
    EXPECT_THAT(agent.read_all(), Not(HasSubstr("0\r\n\r\n"))) << rest;
    EXPECT_EQ(door.accounts(1)[0].denial->refusal, kBad) << rest;
  }
}

}  // namespace
}  // namespace relay::egress
