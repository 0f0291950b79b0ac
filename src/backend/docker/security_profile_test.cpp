#include "backend/docker/security_profile.hpp"

#include "backend/docker/test_directory.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

ContainerOptions with(std::vector<std::string> security_opt) {
  ContainerOptions options;
  options.security_opt = std::move(security_opt);
  return options;
}

TEST(SecurityProfile, PutsTheContentInPlaceOfTheFile) {
  const TestDirectory directory;
  const std::string file = directory.write("lean.json", "{ \"defaultAction\" :\n\"x\" }\n");
  for (const std::string_view separator : {"=", ":"}) {
    ContainerOptions options =
        with({"no-new-privileges", "seccomp" + std::string(separator) + file, "apparmor=/a"});
    EXPECT_FALSE(read_security_profiles(options));
    EXPECT_EQ(options.security_opt,
              (std::vector<std::string>{"no-new-privileges", R"(seccomp={"defaultAction":"x"})",
                                        "apparmor=/a"}));
  }
}

TEST(SecurityProfile, LeavesEverythingElseAsItIs) {
  const std::vector<std::string> entries{"no-new-privileges", "seccomp=unconfined",
                                         "seccomp=default", R"(seccomp={"a":1})", "label=disable"};
  ContainerOptions options = with(entries);
  EXPECT_FALSE(read_security_profiles(options));
  EXPECT_EQ(options.security_opt, entries);
}

TEST(SecurityProfile, ExplainsAFileThatIsNone) {
  const TestDirectory directory;
  const std::string deep(1000, '[');
  const std::pair<std::string, std::string_view> cases[] = {
      {directory / "missing.json", "can't be read"},
      {directory.path(), "can't be read"},
      {directory.write("empty.json", ""), "is empty"},
      {directory.write("array.json", "[]"), "is no JSON object"},
      {directory.write("text.json", "profile"), "is no JSON object"},
      {directory.write("open.json", "{\"a\":"), "is no JSON object"},
      {directory.write("two.json", "{}{}"), "is no JSON object"},
      {directory.write("deep.json", "{\"a\":" + deep), "is no JSON object"},
      {directory.write("large.json", "{" + std::string(1u << 20, ' ') + "}"), "more than 1 MiB"},
  };
  for (const auto& [file, reason] : cases) {
    ContainerOptions options = with({"seccomp=" + file});
    const auto error = read_security_profiles(options);
    ASSERT_TRUE(error) << file;
    EXPECT_EQ(error->type, ErrorType::kContainerStartFailed);
    EXPECT_NE(error->explanation.find(file), std::string::npos);
    EXPECT_NE(error->explanation.find(reason), std::string::npos) << error->explanation;
    ASSERT_FALSE(error->suggested_actions.empty());
    EXPECT_NE(error->suggested_actions[0].find("container.security_opt"), std::string::npos);
  }
}

TEST(SecurityProfile, MayHaveOneMebibyte) {
  const TestDirectory directory;
  const std::string file =
      directory.write("full.json", "{" + std::string((1u << 20) - 2, ' ') + "}");
  ContainerOptions options = with({"seccomp=" + file});
  EXPECT_FALSE(read_security_profiles(options));
  EXPECT_EQ(options.security_opt[0], "seccomp={}");
}

}  // namespace
}  // namespace relay
