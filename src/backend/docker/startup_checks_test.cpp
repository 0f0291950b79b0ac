// What an earlier run left, and the start that comes upon it.
#include "backend/docker/backend_fixture.hpp"

#include <algorithm>

namespace relay {
namespace {

// Its backend is opened by each test, upon what that has left.
class LeftoversTest : public DockerBackendTest {
 protected:
  void SetUp() override {}
  void start() { ASSERT_NO_FATAL_FAILURE(DockerBackendTest::SetUp()); }

  void leave_directories(const std::string& session) {
    directory_.write("base/" + session + "/.acp-relay", "instance\n");
    directory_.write("base/" + session + "/hosts", "");
    directory_.write(work_of(session), "of hours");
  }
  void leave_container(const std::string& id, const std::string& session) {
    const std::scoped_lock lock(found_is_used_);
    listed_ = R"([{"Id":")" + id + R"(","Names":["/acp-agent-)" + session +
              R"("],"State":"running","Labels":{"acp.session":")" + session + R"("}}])";
  }
  bool is_asked_to_remove(const std::string& container) {
    const auto lines = engine_.lines();
    return std::ranges::any_of(lines, [&container](const std::string& line) {
      return line.starts_with("DELETE ") && line.find("/" + container + "?") != std::string::npos;
    });
  }
};

TEST_F(LeftoversTest, AreRemovedBehindAStart) {
  leave_directories("sess_1");
  leave_directories("sess_2");
  directory_.write("base/another/.acp-relay", "another\n");
  leave_container("c3", "sess_3");
  start();
  run_until([this] { return !directory_.has("base/sess_1") && !directory_.has("base/sess_2"); });
  EXPECT_TRUE(is_asked_to_remove("c3"));
  EXPECT_TRUE(directory_.has("base/another"));
}

TEST_F(LeftoversTest, AreNotWaitedForByAStart) {
  leave_directories("sess_1");
  directory_.write("held", "");
  start();
  EXPECT_TRUE(directory_.has(work_of("sess_1")));
  EXPECT_EQ(launch("sess_2"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 1) << "nor by another session";
}

TEST_F(LeftoversTest, AreNotWaitedForByAStartWhenTheEngineRemovesNothing) {
  leave_directories("sess_1");
  leave_container("silent", "sess_2");
  start();
  run_until([this] { return is_asked_to_remove("silent"); });
  EXPECT_EQ(launch("sess_3"), ErrorType::kContainerStartFailed);  // which takes a helper, too
  EXPECT_TRUE(directory_.has(work_of("sess_1"))) << "an agent may write there until it is gone";
}

TEST_F(LeftoversTest, AreWaitedForByTheSessionThatGoesOn) {
  leave_directories("sess_1");
  directory_.write("held", "");
  options_.startup_timeout = std::chrono::milliseconds(100);
  start();
  run_until([this] { return directory_.has("began"); });
  EXPECT_EQ(launch("sess_1"), ErrorType::kWorkspaceUnavailable) << "as long as it may";
  EXPECT_EQ(starts_, 0);
  ContainerOptions patient = options_;
  patient.startup_timeout = kHangs;
  backend_->take(std::make_shared<const ContainerOptions>(patient));
  remove("held");
  EXPECT_EQ(launch("sess_1"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 1);
  EXPECT_FALSE(directory_.has(work_of("sess_1")));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

// What can't be removed keeps neither the others nor itself for ever, wherever it is in the line.
TEST_F(LeftoversTest, ThatCanNotBeRemovedAreTriedAgain) {
  const std::vector<std::string> others{"sess_0", "sess_2", "sess_3", "sess_4"};
  leave_directories("sess_1");
  for (const std::string& other : others) leave_directories(other);
  directory_.write("stuck.sess_1", "");
  start();
  run_until([&] {
    return std::ranges::none_of(
        others, [&](const std::string& other) { return directory_.has("base/" + other); });
  });
  EXPECT_TRUE(directory_.has("base/sess_1"));
  remove("stuck.sess_1");
  run_until([this] { return !directory_.has("base/sess_1"); });
}

TEST_F(LeftoversTest, ThatCanNotBeRemovedAreLeftToTheNextStartWhereTheImageIsMissing) {
  leave_directories("sess_1");
  leave_directories("sess_2");
  directory_.write("stuck.sess_1", "");
  options_.image = "absent";
  const Logger log = Logger::to_stderr(LogLevel::kWarn, LogFormat::kText);
  testing::internal::CaptureStderr();
  run([this, &log]() -> Task<void> {
    KeepOfSession keep = [](SessionId) -> Task<Keep> { co_return Keep::kNothing; };
    const auto opened = co_await DockerBackend::open(host_, options_, std::move(keep), log);
    EXPECT_FALSE(opened);
  });
  log.flush(kHangs);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(directory_.has(work_of("sess_1")));
  EXPECT_FALSE(directory_.has("base/sess_2"));
  EXPECT_NE(said.find("left to the next start"), std::string::npos) << said;
  EXPECT_EQ(said.find("tried again"), std::string::npos) << said;
}

}  // namespace
}  // namespace relay
