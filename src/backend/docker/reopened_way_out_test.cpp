#include "backend/docker/reopened_way_out.hpp"

#include "backend/docker/test_container.hpp"
#include "backend/docker/test_directory.hpp"
#include "backend/docker/way_out.hpp"

#include <filesystem>
#include <memory>

namespace relay {
namespace {

class ReopenedWayOutTest : public ContainerTest {
 protected:
  ReopenedWayOutTest() {
    const auto options = std::make_shared<ContainerOptions>();
    options->workspace_base_dir = directory_.path();
    options->egress.reach.upstreams = {"one"};
    options->egress.init_program = directory_.write("init", "program");
    context_.options = options;
    directories_ = session_directories(directory_.path(), SessionId("sess_1"));
    std::filesystem::create_directory(directories_.root);
    egress::BrokerOptions of_broker;
    of_broker.spent_before = [this](const SessionId&) { return spent_before(); };
    broker_ = std::make_unique<egress::Broker>(io_.get_executor(), std::move(of_broker), nullptr,
                                               Logger::silent());
    host_.broker = broker_.get();
    container_ = std::make_shared<AttachedContainer>(
        context_, context_.options, SessionId("sess_1"), "container", ContainerStreams(),
        engine::ExitWatch(std::make_unique<CutStream>(0)));
    container_->input_stream = std::make_shared<CutStream>(0);
    container_->output_stream = container_->input_stream;
  }
  ~ReopenedWayOutTest() override {
    leave();
    run(broker_->shut_down());
  }

  void leave() {
    container_->let_go(AttachedContainer::Stage::kIsLeft);
    run_until([this] { return context_.background.empty(); });
  }
  bool is_open() const { return std::filesystem::exists(way_out_socket(directories_)); }

  Task<Result<egress::SpentByUpstream>> spent_before() {
    ++asked_;
    if (failures_ > 0) {
      --failures_;
      co_return make_error(ErrorType::kInternalError, "the log is busy");
    }
    if (is_slow_) co_await answered_.wait();
    co_return egress::SpentByUpstream();
  }

  const TestDirectory directory_;
  SessionDirectories directories_;
  int failures_ = 0;  // of the log that are to come
  int asked_ = 0;
  bool is_slow_ = false;
  Event answered_{io_.get_executor()};
  std::unique_ptr<egress::Broker> broker_;
  std::shared_ptr<AttachedContainer> container_;
};

TEST_F(ReopenedWayOutTest, IsThereAtOnce) {
  run(reopen_way_out(container_, EgressCarrier::kUnix));
  EXPECT_EQ(container_->carried_by, EgressCarrier::kUnix);
  EXPECT_TRUE(is_open());
}

TEST_F(ReopenedWayOutTest, IsTriedAgainUntilItIsThere) {
  failures_ = 2;
  run(reopen_way_out(container_, EgressCarrier::kUnix));
  EXPECT_FALSE(container_->carried_by);
  EXPECT_FALSE(is_open());
  run_until([this] { return container_->carried_by.has_value(); });
  EXPECT_EQ(asked_, 3);
  EXPECT_TRUE(is_open());
}

TEST_F(ReopenedWayOutTest, ByStreamsIsCarriedOnceItIsOpen) {
  failures_ = 1;
  run(reopen_way_out(container_, EgressCarrier::kStdio));
  EXPECT_FALSE(was_asked("/exec"));
  run_until([this] { return was_asked("/exec"); });
  EXPECT_EQ(container_->carried_by, EgressCarrier::kStdio);
}

TEST_F(ReopenedWayOutTest, IsGivenUpWithItsContainer) {
  failures_ = 1'000'000;
  run(reopen_way_out(container_, EgressCarrier::kUnix));
  leave();
  EXPECT_FALSE(container_->carried_by);
  EXPECT_FALSE(is_open());
}

// The session's next one may have opened its own by then.
TEST_F(ReopenedWayOutTest, IsNotOpenedForAContainerThatIsOverMeanwhile) {
  failures_ = 1;
  is_slow_ = true;
  run(reopen_way_out(container_, EgressCarrier::kUnix));
  run_until([this] { return asked_ == 2; });
  container_->let_go(AttachedContainer::Stage::kEnds);
  answered_.happen();
  run_until([this] { return context_.background.empty(); });
  EXPECT_FALSE(is_open());
}

}  // namespace
}  // namespace relay
