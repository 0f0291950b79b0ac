#include "session/agent_profiles.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using testing::IsNull;
using testing::Pointee;

TEST(AgentProfiles, AreKnownByTheNameOfTheAgent) {
  AgentProfiles profiles;
  EXPECT_THAT(profiles.of("a"), IsNull());
  profiles.learn("a", profiles.program("a"), "1");
  profiles.learn("a", profiles.program("a"), "2");
  EXPECT_THAT(profiles.of("a"), Pointee(std::string("2")));
  EXPECT_THAT(profiles.of("b"), IsNull());
}

TEST(AgentProfiles, OfAProgramThatWasReplacedAreForgottenAndNotLearned) {
  AgentProfiles profiles;
  const unsigned replaced = profiles.program("a");
  profiles.learn("a", replaced, "old");
  profiles.learn_of_before("a", "older");
  profiles.forget("a");
  EXPECT_THAT(profiles.of("a"), IsNull());
  EXPECT_THAT(profiles.before("a"), IsNull());
  profiles.learn("a", replaced, "late");
  EXPECT_THAT(profiles.of("a"), IsNull());
  profiles.learn("a", profiles.program("a"), "new");
  EXPECT_THAT(profiles.of("a"), Pointee(std::string("new")));
}

TEST(AgentProfiles, OfAnEarlierRunAreKeptApart) {
  AgentProfiles profiles;
  profiles.learn_of_before("a", "then");
  EXPECT_THAT(profiles.of("a"), IsNull());
  EXPECT_THAT(profiles.before("a"), Pointee(std::string("then")));
}

}  // namespace
}  // namespace relay
