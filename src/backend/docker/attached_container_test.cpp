#include "backend/docker/attached_container.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace relay {
namespace {

// One frame of the attach stream with lines of the agent's stdout.
std::string frame(const std::string& payload) {
  std::string bytes("\1\0\0\0", 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  return bytes + payload;
}

class AttachedContainerTest : public testing::Test {
 protected:
  AttachedContainerTest()
      : context_(io_.get_executor(), options(), {}, "instance", Logger::silent()),
        container_(context_, SessionId("sess_1"), "container", nullptr,
                   engine::ExitWatch(nullptr)) {}

  static ContainerOptions options() {
    ContainerOptions made;
    made.max_line_bytes = 2 * kLine;
    return made;
  }

  static constexpr std::size_t kLine = 1u << 20;

  asio::io_context io_;
  DockerContext context_;
  AttachedContainer container_;
};

TEST_F(AttachedContainerTest, KeepsEveryLineOfAnAgentThatRuns) {
  const std::string line = frame(std::string(kLine, 'x') + "\n");
  for (int count = 0; count < 10; ++count) container_.take(line);
  EXPECT_TRUE(container_.is_full()) << "the pump stops reading, nothing is dropped";
  EXPECT_EQ(container_.take_output().lines.size(), 10U);
  EXPECT_FALSE(container_.is_full());
}

TEST_F(AttachedContainerTest, BoundsWhatAnAgentWritesWhileItIsStopped) {
  const std::string line = frame(std::string(kLine, 'x') + "\n");
  container_.stopping = true;
  for (int count = 0; count < 100; ++count) container_.take(line);
  const AgentOutput output = container_.take_output();
  EXPECT_GE(output.lines.size(), AttachedContainer::kMaxReady / kLine - 1);
  EXPECT_LE(output.lines.size(), AttachedContainer::kMaxReady / kLine + 1);
}

TEST_F(AttachedContainerTest, BoundsNotices) {
  const Error error = make_error(ErrorType::kContainerResourceExceeded, "killed");
  for (int count = 0; count < 100; ++count) container_.notice(error);
  EXPECT_EQ(container_.take_output().notices.size(), AttachedContainer::kMaxNotices);
}

}  // namespace
}  // namespace relay
