// Containers that are removed in the background, and the end of that.
#include "backend/docker/test_container.hpp"

namespace relay {
namespace {

class DockerContextTest : public ContainerTest {
 protected:
  DockerContextTest() { context_.arrive(session_); }

  const SessionId session_{"sess_1"};
};

TEST_F(DockerContextTest, DiscardsBehindTheRemoval) {
  context_.discard(session_);
  EXPECT_TRUE(context_.is_present(session_));
  run_until([this] { return context_.background.empty(); });
  EXPECT_FALSE(context_.is_present(session_));
  EXPECT_TRUE(was_asked("DELETE "));
}

TEST_F(DockerContextTest, BeginsNoRemovalOnceItLeavesTheRest) {
  context_.leave_the_rest();
  context_.discard(session_);
  EXPECT_TRUE(context_.background.empty()) << "nobody would end it";
  EXPECT_FALSE(context_.is_present(session_));
  EXPECT_FALSE(was_asked("DELETE "));
}

}  // namespace
}  // namespace relay
