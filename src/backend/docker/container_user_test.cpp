#include "backend/docker/container_user.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "daemon:x:1:2:daemon:/usr/sbin:/usr/sbin/nologin\n"
    "\n"
    "# a remark\n"
    "short:x:7\n"
    "damaged:x:abc:5:::/home/damaged\n"
    "damaged:x:33:34::/home/second:\n"
    "negative:x:-5:5::/home/negative:\n"
    "huge:x:4294967295:5::/home/huge:\n"
    "node:x:1000:1001:Node:/home/node:/bin/bash\n"
    "twin:x:1000:1002::/home/twin:\n"
    "1000:x:55:56::/home/number:\n"
    "homeless:x:1003:1003::\n"
    "relative:x:1004:1004::here:\n"
    "groupless:x:1005:what::/home/groupless:\n"
    "last:x:1006:1006::/home/last";
constexpr std::string_view kGroup =
    "root:x:0:\nstaff:x:50:node\n\n50:x:77:\nbroken:x:zero:\nbroken:x:66:\nlast:x:99";

struct Known {
  std::string_view user;
  std::uint32_t uid, gid;
  std::string_view home;
};

TEST(ContainerUser, IsTheImagesEntry) {
  const Known cases[] = {
      {"", 0, 0, "/root"},
      {"root", 0, 0, "/root"},
      {"node", 1000, 1001, "/home/node"},
      {"1000", 1000, 1001, "/home/node"},  // a number is an id, whoever is called that
      {"01000", 1000, 1001, "/home/node"},
      {"last", 1006, 1006, "/home/last"},  // no newline at the end of the file
      {"4711", 4711, 0, "/"},              // nobody's id: group root, as the Engine has it
      {"2147483647", 2147483647, 0, "/"},
      {"damaged", 33, 34, "/home/second"},  // the first line that can be used
      {"homeless", 1003, 1003, "/"},
      {"relative", 1004, 1004, "/"},
      {"groupless", 1005, 0, "/home/groupless"},
      {"node:staff", 1000, 50, "/home/node"},
      {"node:50", 1000, 50, "/home/node"},
      {"node:1234", 1000, 1234, "/home/node"},
      {"node:broken", 1000, 66, "/home/node"},
      {"node:last", 1000, 99, "/home/node"},
      {"node:", 1000, 1001, "/home/node"},
      {":staff", 0, 50, "/root"},
      {"1000:1000", 1000, 1000, "/home/node"},
      {"0:0", 0, 0, "/root"},
  };
  for (const Known& one : cases) {
    const auto found = resolve_user(one.user, {std::string(kPasswd), std::string(kGroup), {}});
    ASSERT_TRUE(found) << one.user << ": " << found.error().explanation;
    EXPECT_EQ(found->uid, one.uid) << one.user;
    EXPECT_EQ(found->gid, one.gid) << one.user;
    EXPECT_EQ(found->home, one.home) << one.user;
  }
}

TEST(ContainerUser, OfAnImageWithoutFilesIsANumber) {
  for (const std::string_view user : {"", "0", "0:0"}) {
    const auto found = resolve_user(user, {});
    ASSERT_TRUE(found) << user;
    EXPECT_EQ(found->uid, 0U);
    EXPECT_EQ(found->home, "/");
  }
  const auto numbers = resolve_user("12:34", {});
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->uid, 12U);
  EXPECT_EQ(numbers->gid, 34U);
  EXPECT_FALSE(resolve_user("root", {}));
  EXPECT_FALSE(resolve_user("0:root", {}));
}

TEST(ContainerUser, OfTheImageIsNotAdvisedToBeTheImages) {
  for (const UserChoice choice : {UserChoice::kConfigured, UserChoice::kImages}) {
    const auto found = resolve_user("nobody", {}, choice);
    ASSERT_FALSE(found);
    const std::string& advice = found.error().suggested_actions[0];
    EXPECT_NE(advice.find("set container.user to a number"), std::string::npos) << advice;
    EXPECT_EQ(advice.find("leave it empty") != std::string::npos, choice == UserChoice::kConfigured)
        << advice;
  }
}

TEST(ContainerUser, ThatTheImageDoesNotKnowIsAnErrorThatNamesTheKey) {
  // Damaged entries too: the Engine would read their ids as 0 and run the agent as root.
  for (const std::string_view user :
       {"nobody", "short", "negative", "huge", "Root", " root", "-1", "-0", "1000x", "2147483648",
        "4294967295", "99999999999999999999", "# a remark", "node:nogroup", "node:-1",
        "node:4294967295", "node:a:b", "node:staff:x"}) {
    const auto found = resolve_user(user, {std::string(kPasswd), std::string(kGroup), {}});
    ASSERT_FALSE(found) << user;
    EXPECT_EQ(found.error().type, ErrorType::kContainerStartFailed) << user;
    ASSERT_FALSE(found.error().suggested_actions.empty()) << user;
    EXPECT_NE(found.error().suggested_actions[0].find("container.user"), std::string::npos);
  }
}

TEST(ContainerUser, HasTheHomeOfTheImagesEnvironment) {
  ImageUsers image{std::string(kPasswd), {}, {"PATH=/bin", "HOME=/first", "HOME=/data"}};
  EXPECT_EQ(resolve_user("node", image)->home, "/data");
  image.environment = {"HOMER=/no", "HOME="};
  EXPECT_EQ(resolve_user("node", image)->home, "/home/node");
  image.environment = {"HOME=here"};
  EXPECT_EQ(resolve_user("node", image)->home, "/home/node");
}

}  // namespace
}  // namespace relay
