#include "backend/docker/backend_fixture.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

class StartContainerTest : public DockerBackendTest {
 protected:
  // Starts a copy of another session, until `nobody_waits_` happens.
  void fork_while_wanted(const std::string& of, const std::string& fork) {
    LaunchSpec spec;
    spec.session = SessionId(fork);
    spec.copy_of = SessionId(of);
    asio::co_spawn(
        io_,
        [this, spec]() -> Task<void> {
          auto launching = backend_->launch(spec);
          auto leaving = nobody_waits_.wait();
          co_await (std::move(launching) || std::move(leaving));
          has_left_ = true;
        },
        asio::detached);
  }

  Event nobody_waits_{io_.get_executor()};
  bool has_left_ = false;
};

TEST_F(StartContainerTest, OfACopyThatNobodyWaitsForAnyMoreInTheLineStartsNothing) {
  make("source");
  remove("began");
  directory_.write("held", "");
  fork_while_wanted("source", "fork");
  run_until([this] { return directory_.has("began"); });
  std::optional<StartLimiter::Slot> place;
  run([this, &place]() -> Task<void> {
    auto taken = co_await host_.starts.take();
    place.emplace(std::move(taken));
  });
  remove("held");
  run_until([this] { return host_.starts.waiting() == 1; });
  EXPECT_TRUE(directory_.has(work_of("fork")));
  nobody_waits_.happen();
  run_until([this] { return has_left_; });
  place.reset();
  run([this] { return backend_->release(SessionId("fork")); });
  EXPECT_EQ(starts_, 1) << "the one of its source";
  EXPECT_FALSE(directory_.has("base/fork"));
  EXPECT_TRUE(directory_.has(work_of("source")));
}

TEST_F(StartContainerTest, ThatGoesOnSaysWhenItsDirectoriesCanNotBeRead) {
  make("sess_1");
  const std::string marker = directory_ / "base/sess_1/.acp-relay";
  std::filesystem::remove(marker);
  std::filesystem::create_symlink("/proc/self/mem", marker);  // which has nothing to read there
  LaunchSpec spec;
  spec.session = SessionId("sess_1");
  spec.needs_directories = true;
  const auto go_on = [this, &spec]() -> Error {
    Error error;
    run([this, &spec, &error]() -> Task<void> {
      const auto launched = co_await backend_->launch(spec);
      EXPECT_FALSE(launched);
      if (!launched) error = launched.error();
    });
    return error;
  };
  const Error unreadable = go_on();
  EXPECT_EQ(unreadable.type, ErrorType::kWorkspaceUnavailable);
  EXPECT_TRUE(unreadable.recoverable) << unreadable.explanation;
  std::filesystem::remove(marker);
  directory_.write("base/sess_1/.acp-relay", "instance\n");
  EXPECT_EQ(go_on().type, ErrorType::kContainerStartFailed) << "of the Engine";
  EXPECT_EQ(directory_.read(work_of("sess_1")), "of hours");
}

// Their containers may still come, and are looked for meanwhile.
TEST_F(StartContainerTest, ThatHadNoAnswerIsInTheWayOfNoOther) {
  loses_creations_ = true;
  EXPECT_EQ(launch("sess_1"), ErrorType::kDockerNotAvailable);
  EXPECT_FALSE(host_.maker.is_idle());
  EXPECT_EQ(launch("sess_1"), ErrorType::kDockerNotAvailable);
  EXPECT_EQ(starts_, 2);
  run([this] { return backend_->release(SessionId("sess_1")); });
  EXPECT_FALSE(host_.maker.is_idle());
  EXPECT_FALSE(directory_.has("base/sess_1"));
}

}  // namespace
}  // namespace relay
