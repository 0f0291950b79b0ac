#include "egress/turn.hpp"

#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace relay::egress {
namespace {

using http::testing::RawClient;
using testing::DoorTest;
using ::testing::EndsWith;
using testing::RunningDoor;

TEST(Turn, IsOverAfterAQuarterOfAMegabyte) {
  constexpr std::size_t kQuarter = 256u << 10;
  Turn turn;
  EXPECT_FALSE(turn.is_over(kQuarter - 1));
  EXPECT_TRUE(turn.is_over(1));
  EXPECT_FALSE(turn.is_over(kQuarter - 1));
  EXPECT_TRUE(turn.is_over(2 * kQuarter));
}

using TurnTest = DoorTest;

// One whose upstream writes and whose agent reads as fast as they can.
TEST_F(TurnTest, LeavesOthersTheirsBesideAStreamThatNeverWaits) {
  RunningDoor door(own());
  RawClient reader(door.port());
  const auto writer = ask(reader);
  std::atomic<bool> over = false;
  std::thread writing([&] {
    const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
    writer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (!over) writer->send(chunk);
    writer->close();
  });
  std::thread reading([&] {
    std::vector<char> buffer(1u << 20);
    while (::read(reader.fd(), buffer.data(), buffer.size()) > 0) {
    }
  });
  for (int i = 0; i < 3; ++i) {
    RawClient agent(door.port());
    const auto peer = ask(agent);
    peer->send(kOk);
    EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
  }
  over = true;
  writing.join();
  reading.join();
}

}  // namespace
}  // namespace relay::egress
