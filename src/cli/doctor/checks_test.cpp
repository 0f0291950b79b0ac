#include "cli/doctor/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace relay::cli::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kResult =
    R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentInfo":{"name":"a","version":"2"}}})";
constexpr const char* kError =
    R"({"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no agent"}})";

http::Endpoint endpoint(http::Endpoint::Transport transport = http::Endpoint::Transport::kTcp) {
  http::Endpoint made;
  made.transport = transport;
  made.host = "relay.example";
  made.port = 8080;
  return made;
}

Error failure(std::int64_t number) {
  return make_error(ErrorType::kInternalError, "it failed").with("errno", number);
}

http::Response response(int status, std::string body = {}, http::Headers headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

TEST(DoctorReach, TellsWhereItEnds) {
  struct Row {
    std::int64_t number;
    bool tls;
    bool without_trust;
    const char* last;
    ExitCode code;
    const char* remedy;
  };
  constexpr auto kNone = ExitCode::kCannotConnect;
  constexpr auto kWrong = ExitCode::kError;
  for (const Row& row : {Row{ENXIO, false, false, "name", kNone, "DNS"},
                         Row{ECONNREFUSED, false, false, "connection", kNone, "start it"},
                         Row{ETIMEDOUT, false, false, "connection", kNone, "firewalls"},
                         Row{EPROTO, true, true, "TLS", kWrong, "--ca-file"},
                         Row{EPROTO, true, false, "TLS", kWrong, "http or ws"},
                         Row{EBADMSG, false, false, "answer", kWrong, "https or wss"},
                         Row{ECONNRESET, true, false, "answer", kWrong, "log of the server"}}) {
    const Error error = failure(row.number);
    const auto transport =
        row.tls ? http::Endpoint::Transport::kTls : http::Endpoint::Transport::kTcp;
    const auto checks = reach_checks(endpoint(transport), &error, row.without_trust);
    const Check& last = checks.back();
    EXPECT_EQ(last.what, row.last) << row.number;
    EXPECT_EQ(last.verdict, Verdict::kBad);
    EXPECT_THAT(last.remedy, HasSubstr(row.remedy));
    EXPECT_FALSE(last.whose.empty());
    EXPECT_EQ(exit_code(checks), row.code) << row.number;
  }
}

TEST(DoctorReach, IsGoodWhenThereIsAnAnswer) {
  EXPECT_THAT(reach_checks(endpoint(), nullptr, false), SizeIs(2));
  EXPECT_THAT(reach_checks(endpoint(http::Endpoint::Transport::kTls), nullptr, false), SizeIs(3));
}

TEST(DoctorHttp, JudgesTheAnswerToInitialize) {
  const http::Headers id{{"Acp-Connection-Id", "c"}};
  const Check good = http_check(response(200, kResult, id));
  EXPECT_EQ(good.verdict, Verdict::kGood);
  EXPECT_EQ(good.told, "initialize: protocol version 1, agent a 2");
  EXPECT_EQ(exit_code({good}), ExitCode::kOk);
  struct Row {
    http::Response answer;
    Verdict verdict;
    ExitCode code;
    const char* told;
  };
  for (const Row& row : {
           Row{response(200, kResult), Verdict::kBad, ExitCode::kError, "no Acp-Connection-Id"},
           Row{response(200, kError, id), Verdict::kBad, ExitCode::kError, "no agent"},
           Row{response(200, "<html>"), Verdict::kBad, ExitCode::kError, "no JSON-RPC"},
           Row{response(401, kError), Verdict::kBad, ExitCode::kUnauthorized, "401"},
           Row{response(403), Verdict::kBad, ExitCode::kUnauthorized, "403 Forbidden"},
           Row{response(404), Verdict::kBad, ExitCode::kError, "404"},
           Row{response(405), Verdict::kNotServed, ExitCode::kError, "not served"},
           Row{response(301, "", {{"Location", "https://x"}}), Verdict::kBad, ExitCode::kError,
               "to https://x"},
           Row{response(503), Verdict::kBad, ExitCode::kError, "503"},
           Row{response(500), Verdict::kBad, ExitCode::kError, "500"},
       }) {
    const Check check = http_check(row.answer);
    EXPECT_EQ(check.verdict, row.verdict) << row.told;
    EXPECT_THAT(check.told, HasSubstr(row.told));
    EXPECT_EQ(exit_code({check}), row.code) << row.told;
    if (row.verdict == Verdict::kBad) {
      EXPECT_FALSE(check.whose.empty()) << row.told;
      EXPECT_FALSE(check.remedy.empty()) << row.told;
    }
  }
}

TEST(DoctorStream, HasToBeOneOfEvents) {
  const auto stream = [](int status, const char* type) {
    return stream_check(response(status, "", {{"Content-Type", type}}));
  };
  EXPECT_EQ(stream(200, "text/event-stream; charset=utf-8").verdict, Verdict::kGood);
  EXPECT_EQ(stream(200, "text/html").verdict, Verdict::kBad);
  EXPECT_EQ(stream(405, "").verdict, Verdict::kBad);
  EXPECT_FALSE(stream(405, "").whose.empty());
}

TEST(DoctorWebSocket, MayBeMissing) {
  const auto refused = [](std::int64_t status) {
    return refused_websocket_check(
        make_error(ErrorType::kInternalError, "no WebSocket").with("status", status));
  };
  EXPECT_EQ(refused(426).verdict, Verdict::kNotServed);
  EXPECT_EQ(refused(200).verdict, Verdict::kNotServed);
  EXPECT_EQ(refused(401).code, ExitCode::kUnauthorized);
  EXPECT_EQ(refused(0).verdict, Verdict::kBad);
  EXPECT_EQ(websocket_check(kResult).verdict, Verdict::kGood);
  EXPECT_EQ(websocket_check(std::nullopt).verdict, Verdict::kBad);
  // One of the two is enough.
  EXPECT_EQ(exit_code({websocket_check(kResult), http_check(response(405))}), ExitCode::kOk);
  EXPECT_EQ(exit_code({refused(426), http_check(response(405))}), ExitCode::kError);
}

TEST(DoctorOrigin, IsAllowedByNameOrForAll) {
  const auto origin = [](const char* allowed) {
    return origin_check(response(204, "", {{"Access-Control-Allow-Origin", allowed}}), "https://a");
  };
  EXPECT_EQ(origin("https://a").verdict, Verdict::kGood);
  EXPECT_EQ(origin("*").verdict, Verdict::kGood);
  EXPECT_EQ(origin("https://b").verdict, Verdict::kBad);
  const http::Headers named{{"Access-Control-Allow-Origin", "https://a"}};
  EXPECT_EQ(origin_check(response(403, "", named), "https://a").verdict, Verdict::kBad);
  EXPECT_THAT(origin_check(response(403), "https://a").remedy, HasSubstr("server.allowed_origins"));
}

TEST(DoctorLine, SaysWhoseItIsAndWhatToDo) {
  EXPECT_EQ(line({Verdict::kGood, "name", "localhost"}), "\u2713 name        localhost\n");
  EXPECT_EQ(line({Verdict::kNotServed, "HTTP", "405"}), "- HTTP        405\n");
  EXPECT_EQ(line({Verdict::kBad, "connection", "refused", "yours", "start it", ExitCode::kError}),
            "\u2717 connection  refused\n    whose to mend: yours\n    what to do: start it\n");
}

}  // namespace
}  // namespace relay::cli::doctor
