#include "app/egress_upstreams.hpp"

#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Kind = egress::CredentialPlace::Kind;

config::Config with_upstreams() {
  config::LoadResult result = config::load_text(R"(
egress:
  upstreams:
    anthropic: {credential: {value: key-of-anthropic}}
    openrouter: {credential: {file: /run/secrets/openrouter}}
    ollama:
    own:
      url: https://llm.example.com:8443/base/
      ca_file: /dev/null
      credential: {query: key, prefix: "k-", command: [pass]}
      allow: [{methods: [POST, GET], path: /v1/chat/**}, {path: /v1/models}]
    v6: {url: "http://[::1]:81", credential: none}
)",
                                                "c.yaml", {});
  for (const config::Problem& problem : result.problems) ADD_FAILURE() << describe(problem);
  return std::move(result.config);
}

TEST(UpstreamsOf, MapsEachPart) {
  struct Row {
    const char *name, *endpoint, *base_path;
    Kind kind;
    const char *place, *prefix;
  };
  const config::Config config = with_upstreams();
  for (const Row& row : {
           Row{"anthropic", "https://api.anthropic.com:443", "", Kind::kHeader, "x-api-key", ""},
           Row{"openrouter", "https://openrouter.ai:443", "/api", Kind::kHeader, "Authorization",
               "Bearer "},
           Row{"ollama", "http://127.0.0.1:11434", "", Kind::kNone, "", ""},
           Row{"own", "https://llm.example.com:8443", "/base", Kind::kQuery, "key", "k-"},
           Row{"v6", "http://[::1]:81", "", Kind::kNone, "", ""},
       }) {
    const auto mapped = upstreams_of(config, {row.name});
    ASSERT_EQ(mapped.size(), 1u) << row.name;
    EXPECT_EQ(mapped[0].name, row.name);
    EXPECT_EQ(mapped[0].endpoint.to_string(), row.endpoint);
    EXPECT_EQ(mapped[0].base_path, row.base_path);
    EXPECT_EQ(mapped[0].credential.kind, row.kind) << row.name;
    EXPECT_EQ(mapped[0].credential.name, row.place);
    EXPECT_EQ(mapped[0].credential.prefix, row.prefix);
  }
}

TEST(UpstreamsOf, MapsRulesAndTheAuthority) {
  const auto mapped = upstreams_of(with_upstreams(), {"own"});
  ASSERT_EQ(mapped.size(), 1u);
  EXPECT_EQ(mapped[0].endpoint.ca_file, "/dev/null");
  EXPECT_TRUE(mapped[0].endpoint.verify_peer);
  ASSERT_EQ(mapped[0].allow.size(), 2u);
  EXPECT_THAT(mapped[0].allow[0].methods, ElementsAre("POST", "GET"));
  EXPECT_EQ(mapped[0].allow[0].path, "/v1/chat/**");
  EXPECT_THAT(mapped[0].allow[1].methods, IsEmpty());
}

TEST(UpstreamsOf, GivesWhatIsNamedInItsOrder) {
  const auto mapped = upstreams_of(with_upstreams(), {"own", "absent", "ollama"});
  ASSERT_EQ(mapped.size(), 2u);
  EXPECT_EQ(mapped[0].name, "own");
  EXPECT_EQ(mapped[1].name, "ollama");
  EXPECT_THAT(upstreams_of(with_upstreams(), {}), IsEmpty());
}

TEST(TunnelRulesOf, HaveEachHost) {
  const auto rules = tunnel_rules_of({"github.com", "no/host", "*.npmjs.org:8443"});
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(to_string(rules[0]), "github.com:443");
  EXPECT_EQ(to_string(rules[1]), "*.npmjs.org:8443");
}

}  // namespace
}  // namespace relay::app
