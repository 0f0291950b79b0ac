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
      : host_(io_.get_executor(), {}, "instance", 1, Logger::silent()),
        context_(host_, options(), Logger::silent()),
        container_(context_, context_.options, SessionId("sess_1"), "container", ContainerStreams{},
                   engine::ExitWatch(nullptr)) {}

  static ContainerOptions options() {
    ContainerOptions made;
    made.max_line_bytes = 2 * kLine;
    return made;
  }

  static constexpr std::size_t kLine = 1u << 20;

  asio::io_context io_;
  DockerHost host_;
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
  container_.stage = AttachedContainer::Stage::kEnds;
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

TEST_F(AttachedContainerTest, SaysHowFarItsOutputWasTaken) {
  container_.take(frame("one\n\ntwo\nhal"));
  const AgentOutput output = container_.take_output();
  EXPECT_EQ(output.position.bytes, 6U);
  EXPECT_EQ(output.position.first_line, line_fingerprint("one"));
  EXPECT_EQ(output.position.last_line, line_fingerprint("two"));
  container_.take(frame("f\n"));
  EXPECT_EQ(container_.take_output().position.last_line, line_fingerprint("half"));
}

TEST_F(AttachedContainerTest, CountsLinesThatAreTooLong) {
  container_.take(frame(std::string(3 * kLine, 'x') + "\n"));
  const AgentOutput output = container_.take_output();
  EXPECT_EQ(output.oversized_lines, 1U);
  EXPECT_EQ(output.position.bytes, 3 * kLine);
}

TEST_F(AttachedContainerTest, GoesOnWithOtherStreamsAtTheBeginningOfALine) {
  container_.take(frame("one\nhal"));
  ContainerStreams streams;
  streams.position = container_.position();
  streams.stdout_ahead = "half\nthr";
  container_.go_on_with(std::move(streams));
  container_.take(frame("ee\n"));
  const AgentOutput output = container_.take_output();
  EXPECT_EQ(output.lines, (std::vector<std::string>{"one", "half", "three"}));
  EXPECT_EQ(output.position.bytes, 12U);
}

// The next run reads the line from its beginning.
TEST_F(AttachedContainerTest, KeepsNoPartOfALineWhenItIsLeft) {
  container_.take(frame("one\nhalf"));
  container_.stage = AttachedContainer::Stage::kIsLeft;
  container_.take(frame("\ntwo\n"));
  container_.end_output();
  const AgentOutput output = container_.take_output();
  EXPECT_EQ(output.lines, std::vector<std::string>{"one"});
  EXPECT_EQ(output.position.bytes, 3U);
}

TEST_F(AttachedContainerTest, DropsTheEndOfALineThatItDidNotSeeBegin) {
  struct Row {
    std::string_view begin;
    bool kept;
  };
  const std::string deep = R"({"jsonrpc":"2.0","method":"m","params":)" + std::string(600, '[') +
                           std::string(600, ']') + "}";
  const Row rows[] = {{R"({"jsonrpc":"2.0","method":"m"})", true},
                      {R"({"method":"m"})", true},
                      {deep, true},
                      {R"("2.0","method":"m"})", false},
                      {R"({"a":1}})", false}};
  for (const Row& row : rows) {
    ContainerStreams streams;
    streams.may_begin_in_a_line = true;
    container_.go_on_with(std::move(streams));
    container_.take(frame(std::string(row.begin) + "\nno message\n"));
    EXPECT_EQ(container_.take_output().lines.size(), row.kept ? 2U : 1U) << row.begin;
  }
}

}  // namespace
}  // namespace relay
