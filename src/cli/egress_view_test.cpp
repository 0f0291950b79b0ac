#include "cli/egress_view.hpp"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;

std::vector<egress::Upstream> one_upstream(std::vector<egress::AllowRule> rules) {
  egress::Upstream made;
  made.name = "own";
  made.endpoint = http::Endpoint::parse("https://llm.example.com").value();
  made.base_path = "/base";
  made.credential = {egress::CredentialPlace::Kind::kHeader, "x-api-key", ""};
  made.allow = std::move(rules);
  return {made};
}

EgressVerdict of(const std::string& method, const std::vector<egress::Upstream>& upstreams) {
  egress::Verdict verdict = egress::judge(method, "/own/v1/x", upstreams);
  if (auto* denial = std::get_if<egress::Denial>(&verdict)) return *denial;
  return std::get<egress::Passage>(verdict);
}

TEST(EgressView, NamesTheRuleThatLetsARequestThrough) {
  const EgressQuestion question{"agent a", "agents.a.", "POST", "/own/v1/x"};
  const auto upstreams = one_upstream({{{"GET"}, "/v1/**"}, {{"POST", "PUT"}, "/v1/*"}});
  const EgressVerdict verdict = of("POST", upstreams);
  EXPECT_EQ(egress_text(question, verdict),
            "allowed: POST /own/v1/x by agent a\n"
            "  rule        egress.upstreams.own.allow[1]: POST, PUT /v1/*\n"
            "  goes to     https://llm.example.com:443/base/v1/x\n"
            "  credential  header x-api-key\n");
  EXPECT_EQ(boost::json::serialize(egress_json(question, verdict)),
            R"({"agent":"agent a","method":"POST","url":"/own/v1/x","allowed":true,)"
            R"("upstream":"own","key":"egress.upstreams.own.allow[1]",)"
            R"("target":"https://llm.example.com:443/base/v1/x","credential":"header x-api-key"})");
  const auto open = one_upstream({});
  EXPECT_THAT(egress_text(question, of("POST", open)),
              HasSubstr("egress.upstreams.own: it has no allow rules"));
}

TEST(EgressView, SaysWhyARequestIsDeniedAndWhatWouldChangeIt) {
  const EgressQuestion question{"the default agent", "agent.", "POST", "/own/v1/\x1b[2J"};
  const auto upstreams = one_upstream({{{"GET"}, "/v1/**"}});
  const EgressVerdict verdict = of("POST", upstreams);
  EXPECT_EQ(egress_text(question, verdict),
            "denied: POST /own/v1/?[2J by the default agent\n"
            "  why         \"POST\" \"/v1/x\" is in no allow rule of own\n"
            "  answer      403 not_allowed\n"
            "  key         egress.upstreams.own.allow\n"
            "  remedy      Add a rule if agents need it.\n");
  EXPECT_THAT(boost::json::serialize(egress_json(question, verdict)),
              HasSubstr(R"("allowed":false,"code":"not_allowed","status":403)"));
}

TEST(EgressView, TellsOfAHostThatIsReachedByConnect) {
  const egress::TunnelRule rule{"npmjs.org", true, 443};
  const EgressVerdict verdict = egress::TunnelPassage{"registry.npmjs.org", 443, &rule};
  EXPECT_EQ(egress_text({"agent a", "agents.a.", "GET", "https://registry.npmjs.org/x"}, verdict),
            "allowed: GET https://registry.npmjs.org/x by agent a\n"
            "  rule        agents.a.connect: *.npmjs.org:443\n"
            "  goes to     registry.npmjs.org:443, by CONNECT and with TLS of the agent's own\n"
            "  credential  none\n");
}

}  // namespace
}  // namespace relay::cli
