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
