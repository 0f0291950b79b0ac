// What an agent is written when the Engine cuts its input off.
#include "backend/docker/docker_agent.hpp"

#include "backend/docker/input_pieces.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

namespace relay {
namespace {

// Takes so many bytes, and is cut off then.
class CutStream final : public http::Stream {
 public:
  explicit CutStream(std::size_t room) : room_(room) {}

  const http::Response& head() const override { return head_; }
  Task<Result<std::string>> read_some() override { co_return std::string(); }
  Task<Result<void>> write(std::string_view bytes) override {
    if (bytes.size() > room_) {
      // A Unix socket takes a part of what is large only.
      if (bytes.size() > kTakenWhole) taken_ += bytes.substr(0, room_);
      room_ = 0;
      co_return make_error(ErrorType::kInternalError, "cut off");
    }
    room_ -= bytes.size();
    taken_ += bytes;
    co_return Result<void>();
  }
  void close() override {}

  const std::string& taken() const { return taken_; }

 private:
  http::Response head_;
  std::size_t room_;
  std::string taken_;
};

class DockerAgentTest : public testing::Test {
 protected:
  DockerAgentTest() {
    container_->input_stream = first_;
    container_->output_stream = first_;
  }
  // There is no Engine that could end it.
  ~DockerAgentTest() override { container_->stopping = true; }

  // What the agent gets of them over both streams. The second begins with a newline.
  std::string sent(std::vector<std::string> texts, std::size_t room) {
    first_ = std::make_shared<CutStream>(room);
    container_->input_stream = first_;
    std::vector<SharedBytes> messages;
    for (std::string& text : texts) messages.emplace_back(std::move(text));
    auto done = asio::co_spawn(io_, agent_.send(messages), asio::use_future);
    settle();
    EXPECT_NE(done.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    const auto second = std::make_shared<CutStream>(std::string().max_size());
    ContainerStreams streams;
    streams.input = second;
    streams.output = second;
    container_->go_on_with(std::move(streams));
    settle();
    EXPECT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_FALSE(container_->input_broken);
    return first_->taken() + "\n" + second->taken();
  }

  void settle() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  DockerHost host_{io_.get_executor(), {}, "instance", 1, Logger::silent()};
  DockerContext context_{host_, {}, Logger::silent()};
  std::shared_ptr<CutStream> first_ = std::make_shared<CutStream>(0);
  std::shared_ptr<AttachedContainer> container_ = std::make_shared<AttachedContainer>(
      context_, context_.options, SessionId("sess_1"), "container", ContainerStreams(),
      engine::ExitWatch(nullptr));
  DockerAgent agent_{container_, "/workspace", std::chrono::steady_clock::now()};
  const std::string large_ = std::string(4 * kTakenWhole, 'x');
};

TEST_F(DockerAgentTest, WritesAgainWhatWasCutAndNothingBeforeIt) {
  const std::string half = large_.substr(0, 100);
  EXPECT_EQ(sent({"{1}", large_, "{2}"}, 4 + half.size()),
            "{1}\n" + half + "\n" + large_ + "\n{2}\n");
}

TEST_F(DockerAgentTest, WritesNothingAgainThatLacksItsNewlineAlone) {
  EXPECT_EQ(sent({large_, "{2}"}, large_.size()), large_ + "\n\n{2}\n");
}

TEST_F(DockerAgentTest, WritesAllAgainOfWhichNothingWasTaken) {
  EXPECT_EQ(sent({"{1}", "{2}"}, 5), "\n{1}\n{2}\n");
}

}  // namespace
}  // namespace relay
