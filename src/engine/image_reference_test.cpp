#include "engine/image_reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using ::testing::HasSubstr;

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(SplitImage, FollowsTheDockerCommand) {
  const std::string table[][3] = {
      {"acp-agent", "acp-agent", "latest"},
      {"acp-agent:1.2", "acp-agent", "1.2"},
      {"library/debian:bookworm-slim", "library/debian", "bookworm-slim"},
      {"localhost:5000/agent", "localhost:5000/agent", "latest"},
      {"localhost:5000/agent:2", "localhost:5000/agent", "2"},
      {"localhost/agent", "localhost/agent", "latest"},
      {"ghcr.io/a/b/c:V_1", "ghcr.io/a/b/c", "V_1"},
      {"[::1]:5000/agent:2", "[::1]:5000/agent", "2"},
      {"[fe80::1]/agent", "[fe80::1]/agent", "latest"},
      {"a-b.example:1/agent", "a-b.example:1/agent", "latest"},
      {"Registry.Example/agent", "Registry.Example/agent", "latest"},
      {"agent@" + kDigest, "agent", kDigest},
      {"agent:1@" + kDigest, "agent", kDigest},
      {"r:1/agent:1@" + kDigest, "r:1/agent", kDigest},
      {kDigest, "sha256", std::string(64, 'a')},
      {std::string(64, 'a'), std::string(64, 'a'), "latest"},
      {"a__b--c.d", "a__b--c.d", "latest"},
  };
  for (const auto& row : table) {
    const Result<ImageReference> reference = split_image(row[0]);
    ASSERT_TRUE(reference) << row[0] << ": " << reference.error().explanation;
    EXPECT_EQ(reference->name, row[1]) << row[0];
    EXPECT_EQ(reference->tag, row[2]) << row[0];
  }
}

TEST(SplitImage, RefusesWhatIsNoReference) {
  const std::string long_name(256, 'a');
  for (const std::string& image : {std::string(),
                                   std::string("agent:"),
                                   std::string("agent:-1"),
                                   std::string(":1"),
                                   std::string("Agent"),
                                   std::string("a/Agent"),
                                   std::string("a//b"),
                                   std::string("/a"),
                                   std::string("a/"),
                                   std::string("../../info"),
                                   std::string("a b"),
                                   std::string("a?x=1"),
                                   std::string("a\n"),
                                   std::string("agent@"),
                                   std::string("agent@sha256:12"),
                                   std::string("agent@") + std::string(64, 'a'),
                                   std::string("-host:1/a"),
                                   std::string("l..host/a"),
                                   std::string(".host/a"),
                                   std::string("host./a"),
                                   std::string("a.-b/a"),
                                   std::string("a_b.example/a"),
                                   std::string("host:/a"),
                                   std::string("host:1:2/a"),
                                   std::string("host:x/a"),
                                   std::string("[::1/a"),
                                   std::string("[]/a"),
                                   std::string("[::1]x/a"),
                                   std::string("[g::1]/a"),
                                   std::string("a..b"),
                                   std::string("agent:") + std::string(129, 't'),
                                   std::string("\xc3\xa9"),
                                   long_name}) {
    const Result<ImageReference> reference = split_image(image);
    ASSERT_FALSE(reference) << image;
    EXPECT_EQ(reference.error().type, ErrorType::kImageNotFound);
    EXPECT_THAT(reference.error().suggested_actions.front(), HasSubstr("container.image"));
  }
}

}  // namespace
}  // namespace relay::engine
