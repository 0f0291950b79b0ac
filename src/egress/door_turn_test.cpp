#include "base/turn.hpp"
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace relay::egress {
namespace {

using http::testing::RawClient;
using testing::DoorTest;
using testing::RunningDoor;

TEST(Turn, IsOverAfter128KiB) {
  constexpr std::size_t kBytes = 128u << 10;
  Turn turn;
  EXPECT_FALSE(turn.is_over(kBytes - 1));
  EXPECT_TRUE(turn.is_over(1));
  EXPECT_FALSE(turn.is_over(kBytes - 1));
  EXPECT_TRUE(turn.is_over(2 * kBytes));
}

using TurnTest = DoorTest;

// One whose upstream writes and whose agent reads as fast as they can.
TEST_F(TurnTest, LeavesOthersTheirsBesideAStreamThatHardlyWaits) {
  constexpr std::size_t kChunk = 64u << 10;
  constexpr int kChunks = 2'000;
  RunningDoor door(own());
  RawClient reader(door.port());
  const auto writer = ask(reader);
  door.watch_turns();
  std::thread writing([&] {
    const std::string chunk = "10000\r\n" + std::string(kChunk, 'x') + "\r\n";
    writer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < kChunks; ++i) writer->send(chunk);
    writer->close();
  });
  std::vector<char> buffer(1u << 20);
  while (::read(reader.fd(), buffer.data(), buffer.size()) > 0) {
  }
  writing.join();
  EXPECT_EQ(door.spent().received_bytes, kChunk * kChunks);
  const std::uint64_t most = door.most_in_a_turn().bytes;
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, (256u << 10) + kChunk);
}

// All of them are denied at once, and come faster than they are answered.
TEST_F(TurnTest, LeavesOthersTheirsBesideRequestsThatHardlyWait) {
  constexpr std::size_t kRequests = 5'000;
  RunningDoor door(own());
  RawClient agent(door.port());
  door.watch_turns();
  std::thread asking([&] {
    std::string requests;
    for (std::size_t i = 0; i < kRequests; ++i)
      requests += "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";
    agent.send(requests);
    agent.shutdown_send();
  });
  std::vector<char> buffer(1u << 20);
  while (::read(agent.fd(), buffer.data(), buffer.size()) > 0) {
  }
  asking.join();
  EXPECT_EQ(door.accounts(kRequests).size(), kRequests);
  const std::uint64_t most = door.most_in_a_turn().requests;
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, 2U);
}

}  // namespace
}  // namespace relay::egress
