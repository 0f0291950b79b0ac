#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string first_of(const std::vector<Problem>& problems) {
  return problems.empty() ? "" : describe(problems.front());
}

TEST(ConnectOfAgents, IsChecked) {
  struct Row {
    const char *text, *problem, *warning;
  };
  const std::string many = [] {
    std::string list = "container: {enabled: true}\nagent: {connect: [";
    for (int i = 0; i < 257; ++i) list += "a" + std::to_string(i) + ".example,";
    return list + "]}";
  }();
  for (const Row& row : {
           Row{"container: {enabled: true}\nagent: {connect: [github.com, '*.npmjs.org']}", "", ""},
           Row{"container: {enabled: true}\nagent: {connect: [github.com, 1.1.1.1]}",
               "agent.connect[1]: an address; write a name", ""},
           Row{"agents: {a: {image: i, connect: ['a:0']}}",
               "agents.a.connect[0]: what stands behind the colon is no port", ""},
           Row{"agent: {connect: [github.com]}", "", "agent.connect: has no effect"},
           Row{"agents: {a: {image: i, network_mode: bridge, connect: [github.com]}}", "",
               "agents.a.connect: has no effect"},
           Row{many.c_str(), "agent.connect: more than 256 hosts", ""},
       }) {
    const LoadResult result = load_text(row.text, "c.yaml", {});
    EXPECT_THAT(first_of(result.problems), HasSubstr(row.problem)) << row.text;
    EXPECT_EQ(result.problems.empty(), std::string_view(row.problem).empty()) << row.text;
    EXPECT_THAT(first_of(result.warnings), HasSubstr(row.warning)) << row.text;
  }
}

TEST(ConnectOfAgents, IsForTheProgramThatItWasGivenTo) {
  const Config config = load_text(R"(
container: {enabled: true}
agent: {connect: [github.com]}
agents: {same: {memory_limit: 1G}, other: {image: i}, own: {image: i, connect: [a.example]}}
)",
                                  "c.yaml", {})
                            .config;
  ASSERT_EQ(config.agents.size(), 3U);
  EXPECT_THAT(config.agents[0].agent.connect, ElementsAre("github.com"));
  EXPECT_THAT(config.agents[1].agent.connect, IsEmpty());
  EXPECT_THAT(config.agents[2].agent.connect, ElementsAre("a.example"));
}

}  // namespace
}  // namespace relay::config
