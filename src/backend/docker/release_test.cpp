// Sessions that are released and go on.
#include "backend/docker/backend_fixture.hpp"

#include <boost/asio/detached.hpp>

namespace relay {
namespace {

class ReleaseTest : public DockerBackendTest {
 protected:
  void release(const std::string& session) {
    run([this, &session] { return backend_->release(SessionId(session)); });
  }
};

std::string container(const char* instance, const char* status) {
  return R"({"Id":"c1","Config":{"Labels":{"acp.session":"sess_1","acp.relay.instance":")" +
         std::string(instance) + R"("}},"State":{"Status":")" + status + R"("}})";
}

TEST_F(ReleaseTest, OfAnAgentThatIsNotWantedAnyMoreRemovesItsOwnContainerAlone) {
  struct Row {
    std::vector<std::string> found;
    bool auto_remove;
    int removed;
  };
  for (const Row& row : {Row{{container("instance", "running")}, true, 1},
                         Row{{"", container("instance", "running")}, true, 1},
                         Row{{container("another", "running")}, true, 0},
                         Row{{"", container("another", "running")}, true, 0},
                         Row{{container("instance", "running")}, false, 1},
                         Row{{container("instance", "exited")}, false, 0}}) {
    ContainerOptions options = options_;
    options.auto_remove = row.auto_remove;
    backend_->take(std::make_shared<const ContainerOptions>(options));
    removed_ = 0;
    {
      const std::scoped_lock lock(found_is_used_);
      found_ = row.found;
    }
    run([this] { return backend_->end_unwanted(SessionId("sess_1")); });
    EXPECT_EQ(removed_, row.removed) << row.found.back() << row.auto_remove;
  }
}

TEST_F(ReleaseTest, OfAnAgentThatEndedMeanwhileRemovesItsContainerUnlessItIsToBeKept) {
  for (const bool auto_remove : {true, false}) {
    ContainerOptions options = options_;
    options.auto_remove = auto_remove;
    backend_->take(std::make_shared<const ContainerOptions>(options));
    removed_ = 0;
    {
      const std::scoped_lock lock(found_is_used_);
      found_ = {container("instance", "exited")};
    }
    const SessionId session("sess_1");
    run([this, session]() -> Task<void> {
      const OutputPosition from_the_beginning;
      const auto reattached = co_await backend_->reattach(session, from_the_beginning);
      EXPECT_FALSE(reattached);
    });
    release("sess_1");  // which waits for it
    EXPECT_EQ(removed_, auto_remove ? 1 : 0);
  }
}

TEST_F(ReleaseTest, OfAContainerThatDidNotStartRemovesIt) {
  make("sess_1");
  release("sess_1");
  EXPECT_EQ(removed_, 1) << "the Engine may have made it";
  make("sess_2");
  directory_.write("stuck.sess_2", "");
  release("sess_2");
  EXPECT_EQ(removed_, 2);
  EXPECT_NE(launch("sess_2"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(removed_, 2) << "none was asked for";
}

TEST_F(ReleaseTest, IsWaitedForByAnAgentThatIsToGoOn) {
  make("sess_1");
  directory_.write("held", "");
  asio::co_spawn(io_, backend_->release(SessionId("sess_1")), asio::detached);
  run_until([this] { return directory_.has("began"); });
  ContainerOptions hasty = options_;
  hasty.startup_timeout = std::chrono::milliseconds(100);
  backend_->take(std::make_shared<const ContainerOptions>(hasty));
  EXPECT_EQ(launch("sess_1"), ErrorType::kWorkspaceUnavailable) << "as long as it may";
  EXPECT_EQ(starts_, 1);
  backend_->take(std::make_shared<const ContainerOptions>(options_));
  remove("held");
  EXPECT_EQ(launch("sess_1"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 2) << "who had given up starts nothing";
  EXPECT_FALSE(directory_.has(work_of("sess_1")));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

TEST_F(ReleaseTest, IsDoneBeforeAnAgentWorksInWhatCouldNotBeRemoved) {
  make("sess_1");
  directory_.write("stuck.sess_1", "");
  release("sess_1");
  launch("sess_1");
  EXPECT_EQ(starts_, 1) << "it is refused";
  remove("stuck.sess_1");
  EXPECT_EQ(launch("sess_1"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 2);
  EXPECT_FALSE(directory_.has(work_of("sess_1")));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

// Both are due in the same round, this one first.
TEST_F(ReleaseTest, IsNotTriedAgainOnceTheSessionGoesOn) {
  for (const char* session : {"sess_1", "sess_2"}) {
    make(session);
    directory_.write(std::string("stuck.") + session, "");
    release(session);
  }
  remove("stuck.sess_1");
  make("sess_1");
  remove("stuck.sess_2");
  run_until([this] { return !directory_.has("base/sess_2"); });
  EXPECT_EQ(directory_.read(work_of("sess_1")), "of hours");
}

}  // namespace
}  // namespace relay
