// How reading goes on where the Engine cuts it off.
#include "backend/docker/test_container.hpp"

namespace relay {
namespace {

class FollowContainerTest : public ContainerTest {
 protected:
  FollowContainerTest() {
    answer_state(R"({"Status":"running","Running":true})");
    container_->input_stream = input_;
  }

  // Its output ends at once.
  void go_on(bool is_log) {
    ContainerStreams streams;
    streams.output = std::make_shared<CutStream>(0);
    streams.is_log = is_log;
    container_->go_on_with(std::move(streams));
    pumped_ = asio::co_spawn(io_, pump_output(container_), asio::use_future);
  }
  void end() {
    container_->stage = AttachedContainer::Stage::kEnds;
    container_->output_stream->close();
    run_until(
        [this] { return pumped_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  }

  const std::shared_ptr<SilentStream> input_ = std::make_shared<SilentStream>(io_.get_executor());
  std::shared_ptr<AttachedContainer> container_ = std::make_shared<AttachedContainer>(
      context_, context_.options, SessionId("sess_1"), "container", ContainerStreams(),
      engine::ExitWatch(std::make_unique<CutStream>(0)));
  std::future<void> pumped_;
};

TEST_F(FollowContainerTest, KeepsTheInputWhereTheLogAloneHasEnded) {
  answer("/logs?follow=1", log({"2026-01-01T00:00:00.000000001Z {1}\n"}));
  go_on(true);
  run_until([this] { return container_->has_output(); });
  EXPECT_EQ(container_->take_output().lines, std::vector<std::string>{"{1}"});
  EXPECT_EQ(container_->input_stream, input_);
  EXPECT_FALSE(input_->is_closed());
  EXPECT_EQ(container_->input, AttachedContainer::Input::kTakes);
  EXPECT_FALSE(was_asked("/attach"));
  end();
}

TEST_F(FollowContainerTest, ClosesAnInputThatTheEngineHasTakenWithIt) {
  auto watching = asio::co_spawn(io_, watch_exit(container_), asio::use_future);
  run_until([this] { return container_->exited.happened(); });
  EXPECT_TRUE(input_->is_closed());
  EXPECT_EQ(container_->input, AttachedContainer::Input::kIsCut) << "send() makes another";
}

TEST_F(FollowContainerTest, WaitsAgainWhereTheEngineHasDroppedTheCall) {
  answer_once("/wait", {"", true});
  answer("/wait", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"});
  auto watching = asio::co_spawn(io_, watch_exit(container_), asio::use_future);
  run_until([this] {
    const bool is_watched = times_asked("/wait") == 2 && !container_->engine_is_away;
    return is_watched || container_->exited.happened();
  });
  EXPECT_EQ(times_asked("/wait"), 2);
  EXPECT_FALSE(container_->exited.happened()) << "it runs";
  container_->stage = AttachedContainer::Stage::kEnds;
  container_->watch.close();
  run_until([this] { return container_->exited.happened(); });
}

TEST_F(FollowContainerTest, KeepsAnInputThatWasMadeSinceTheEngineWent) {
  answer("/logs?follow=1", log({"2026-01-01T00:00:00.000000001Z {1}\n"}));
  container_->watch_was_cut = true;
  go_on(false);
  run_until([this] { return container_->has_output(); });
  EXPECT_FALSE(input_->is_closed());
  EXPECT_EQ(container_->input, AttachedContainer::Input::kTakes);
  end();
}

}  // namespace
}  // namespace relay
