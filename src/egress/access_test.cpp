#include "egress/access.hpp"

#include "egress/denial_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::egress {
namespace {

using ::testing::HasSubstr;

std::vector<Upstream> upstreams() {
  Upstream anthropic;
  anthropic.name = "anthropic";
  anthropic.credential = {CredentialPlace::Kind::kHeader, "x-api-key", ""};
  anthropic.allow = {{{"POST"}, "/v1/messages"}, {{}, "/v1/models/**"}};
  Upstream gemini;
  gemini.name = "gemini";
  gemini.base_path = "/gateway";
  gemini.credential = {CredentialPlace::Kind::kQuery, "token", ""};
  return {anthropic, gemini};
}

TEST(Access, PassesWhatARuleAllows) {
  struct Case {
    std::string_view method, target, at_upstream;
  };
  const std::vector<Upstream> all = upstreams();
  for (const Case& row : {
           Case{"POST", "/anthropic/v1/messages?beta=true", "/v1/messages?beta=true"},
           Case{"GET", "/anthropic/v1/models", "/v1/models"},
           Case{"DELETE", "/anthropic/v1/models/x/y", "/v1/models/x/y"},
           Case{"POST", "/gemini/v1beta/x?key=mine&alt=sse&token=t", "/gateway/v1beta/x?alt=sse"},
           Case{"GET", "/gemini", "/gateway/"},
       }) {
    const Verdict verdict = judge(row.method, row.target, all);
    const auto* passage = std::get_if<Passage>(&verdict);
    ASSERT_NE(passage, nullptr) << row.target;
    EXPECT_EQ(passage->target, row.at_upstream);
  }
}

TEST(Access, SaysWhyItIsDenied) {
  struct Case {
    std::string_view method, target;
    Refusal refusal;
    int status;
    std::string_view explanation, key;
  };
  const std::vector<Upstream> all = upstreams();
  for (const Case& row : {
           Case{"GET", "/anthropic/v1/messages", Refusal::kNotAllowed, 403,
                "\"GET\" \"/v1/messages\" is in no allow rule of anthropic",
                "egress.upstreams.anthropic.allow"},
           Case{"POST", "/anthropic/v1/files", Refusal::kNotAllowed, 403, "\"/v1/files\"",
                "egress.upstreams.anthropic.allow"},
           Case{"POST", "/openai/v1/responses", Refusal::kUnknownUpstream, 403,
                "no upstream \"openai\"; it has anthropic, gemini", "egress.upstreams"},
           Case{"GET", "/", Refusal::kUnknownUpstream, 403, "no upstream \"\"", "egress.upstreams"},
           Case{"TRACE", "/gemini/x", Refusal::kNotAllowed, 405, "TRACE is never passed on", ""},
           Case{"Trace", "/gemini/x", Refusal::kNotAllowed, 405, "Trace is never passed on", ""},
           Case{"TRACK", "/gemini/x", Refusal::kNotAllowed, 405, "TRACK is never passed on", ""},
           Case{"OPTIONSOPTIONSOPTIONSOPTIONSOPTIO", "/gemini/x", Refusal::kBadRequest, 400,
                "longer than 32", ""},
           Case{"GET", "http://x/anthropic", Refusal::kBadRequest, 400, "slash", ""},
           Case{"POST", "/anthropic/v1/messages/../files", Refusal::kBadRequest, 400, "\"..\"", ""},
       }) {
    const Verdict verdict = judge(row.method, row.target, all);
    const auto* denial = std::get_if<Denial>(&verdict);
    ASSERT_NE(denial, nullptr) << row.target;
    const bool names_one = row.refusal == Refusal::kNotAllowed;
    EXPECT_EQ(denial->upstream.empty(), !names_one) << row.target;
    EXPECT_EQ(denial->refusal, row.refusal) << row.target;
    EXPECT_EQ(denial->status, row.status) << row.target;
    EXPECT_THAT(denial->explanation, HasSubstr(row.explanation));
    EXPECT_EQ(denial->key, row.key);
  }
}

TEST(Access, QuotesOnlyTheBeginningOfALongName) {
  const std::vector<Upstream> all = upstreams();
  const Verdict verdict = judge("GET", "/" + std::string(9'000, 'x'), all);
  EXPECT_LT(std::get<Denial>(verdict).explanation.size(), 300U);
}

TEST(Access, AnswersADenialAsProvidersDo) {
  const Denial denial{Refusal::kNotAllowed, 403, "no rule has it", "egress.x.allow", "Add a rule."};
  const http::Response response = answer_to(denial);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.header("x-should-retry"), "false");
  EXPECT_EQ(
      response.body,
      R"({"type":"error","error":{"type":"acp_relay_egress","code":"not_allowed",)"
      R"~("message":"acp-relay: no rule has it. Add a rule. (configuration key egress.x.allow)",)~"
      R"("key":"egress.x.allow","remedy":"Add a rule."}})");
}

}  // namespace
}  // namespace relay::egress
