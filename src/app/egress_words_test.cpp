#include "app/egress_words.hpp"

#include "egress/counts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace relay::app {
namespace {

using metrics::RequestOutcome;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Pair;

const RedactText kAsItIs = [](std::string_view text) { return std::string(text); };

egress::Account account(int status, std::optional<egress::Refusal> refusal = {}) {
  egress::Account made;
  made.method = "GET";
  made.target = "/own/v1/files?key=secret";
  made.upstream = "own";
  made.status = status;
  if (refusal) {
    made.denial = egress::Denial{*refusal, status, "GET /v1/files is in no allow rule of own",
                                 "egress.upstreams.own.allow", "Add a rule if agents need it."};
  }
  return made;
}

TEST(OutcomeOf, IsTheClassOfTheStatusOrTheCode) {
  struct Row {
    int status;
    std::optional<egress::Refusal> refusal;
    RequestOutcome outcome;
  };
  for (const Row& row : {Row{101, {}, RequestOutcome::k1xx}, Row{200, {}, RequestOutcome::k2xx},
                         Row{304, {}, RequestOutcome::k3xx}, Row{401, {}, RequestOutcome::k4xx},
                         Row{599, {}, RequestOutcome::k5xx}, Row{999, {}, RequestOutcome::k5xx},
                         Row{403, egress::Refusal::kNotAllowed, RequestOutcome::kNotAllowed},
                         Row{200, egress::Refusal::kTimedOut, RequestOutcome::kTimedOut},
                         Row{0, {}, RequestOutcome::kAgentLeft},
                         Row{0, egress::Refusal::kUnreachable, RequestOutcome::kAgentLeft}}) {
    const egress::Account of_row = account(row.status, row.refusal);
    EXPECT_EQ(outcome_of(of_row), row.outcome) << row.status;
    EXPECT_EQ(is_denied(of_row), row.refusal && row.status != 0) << row.status;
  }
}

TEST(OutcomeOf, HasTheCodeThatTheAgentIsTold) {
  for (int code = 0; code <= static_cast<int>(egress::Refusal::kAgentLeft); ++code) {
    const auto refusal = static_cast<egress::Refusal>(code);
    EXPECT_EQ(label(outcome_of(account(400, refusal))), egress::name_of(refusal));
  }
}

TEST(DenialNotice, SaysWhatAndWhyAndTheKey) {
  const Error notice = denial_notice(account(403, egress::Refusal::kNotAllowed));
  EXPECT_EQ(notice.type, ErrorType::kUpstreamDenied);
  EXPECT_THAT(notice.explanation, EndsWith("GET /v1/files is in no allow rule of own"));
  EXPECT_THAT(notice.suggested_actions, Contains("Add a rule if agents need it."));
  EXPECT_THAT(notice.suggested_actions, Contains(HasSubstr("egress.upstreams.own.allow")));
  EXPECT_THAT(notice.state, Contains(Pair("code", StateValue("not_allowed"))));
  EXPECT_THAT(notice.state, Contains(Pair("key", StateValue("egress.upstreams.own.allow"))));
  EXPECT_THAT(notice.state, Contains(Pair("status", StateValue(std::int64_t{403}))));

  EXPECT_FALSE(notice.recoverable);
  const Error broken = denial_notice(account(502, egress::Refusal::kUnreachable));
  EXPECT_TRUE(broken.recoverable);
  EXPECT_EQ(broken.explanation, notice.explanation);

  egress::Account long_one = account(403, egress::Refusal::kNotAllowed);
  long_one.denial->explanation = std::string(100'000, 'x');
  EXPECT_LT(denial_notice(long_one).explanation.size(), 500u);
}

TEST(KindOfNotice, IsTheSameForOneRule) {
  const egress::Account one = account(403, egress::Refusal::kNotAllowed);
  egress::Account other = one;
  other.target = "/own/v1/other";
  other.denial->explanation = "another";
  EXPECT_EQ(kind_of_notice(one), kind_of_notice(other));
  other.denial->key = "egress.upstreams.own.budget.tokens";
  EXPECT_NE(kind_of_notice(one), kind_of_notice(other));
}

TEST(Audited, HasThePathWithoutTheQuery) {
  const AuditedRequest request = audited(account(200), kAsItIs);
  EXPECT_EQ(request.begin, "own GET 200");
  EXPECT_EQ(request.path, "/v1/files");
  EXPECT_FALSE(request.denied);
  const AuditedRequest denied = audited(account(403, egress::Refusal::kNotAllowed), kAsItIs);
  EXPECT_EQ(denied.begin, "own GET 403 not_allowed");
  EXPECT_TRUE(denied.denied);
}

TEST(Audited, IsBoundedPrintableAndRedacted) {
  struct Row {
    std::string upstream, method, target, begin, path;
  };
  const std::string cut = std::string(kMaxAuditedPath - 3, 'x') + "...";
  for (const Row& row :
       {Row{"", "", "", "- - 400", ""}, Row{"", "GET", "/other/a", "- GET 400", "/other/a"},
        Row{"own", std::string(30, 'M'), "/own/a\xc3\xa4 \x01", "own MMMMMMMMMMMMM... 400",
            "/a%C3%A4%20%01"},
        Row{"", "GET", std::string(70'000, 'x'), "- GET 400", cut},
        Row{"own", "GET", "/own/sk-secret/a", "own GET 400", "/***/a"}}) {
    egress::Account made;
    made.upstream = row.upstream;
    made.method = row.method;
    made.target = row.target;
    made.status = 400;
    const AuditedRequest request = audited(made, [](std::string_view text) {
      std::string out(text);
      const auto at = out.find("sk-secret");
      return at == std::string::npos ? out : out.replace(at, 9, "***");
    });
    EXPECT_EQ(request.begin, row.begin);
    EXPECT_EQ(request.path, row.path);
  }
}

TEST(UseText, IsReadAgainWhereTheSumsAreTheHighest) {
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  egress::SpentByUpstream spent;
  spent["own"] = {kAll, kAll, kAll, egress::kHighestCount, egress::kHighestCount + 1};
  const egress::Spent read = spent_in(use_text(spent))["own"];
  for (const std::uint64_t sum :
       {read.requests, read.sent_bytes, read.received_bytes, read.tokens, read.failed}) {
    EXPECT_EQ(sum, egress::kHighestCount);
  }
}

TEST(UseText, IsReadAgain) {
  EXPECT_EQ(use_text({}), "");
  egress::SpentByUpstream spent;
  spent["own"] = {2, 5, 64, 6, 1};
  spent[""] = {0, 0, 0, 0, 3};
  const std::string text = use_text(spent);
  EXPECT_THAT(
      text,
      HasSubstr(R"("own":{"requests":2,"sentBytes":5,"receivedBytes":64,"tokens":6,"failed":1})"));
  EXPECT_EQ(use_text(spent_in(text)), text);
  for (const char* bad : {"", "{", "[]", R"({"own":7})"}) EXPECT_TRUE(spent_in(bad).empty()) << bad;
  EXPECT_EQ(spent_in(R"({"own":{"tokens":-1,"requests":"x","failed":4}})")["own"].failed, 4u);
}

}  // namespace
}  // namespace relay::app
