#include "session/prompt_queue.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

QueuedPrompt prompt_of(std::int64_t id, std::uint64_t client, std::size_t bytes) {
  return {id, ClientId(client), SharedBytes(std::string(bytes, 'x'))};
}

TEST(PromptQueue, IsBoundedInNumberAndInBytes) {
  PromptQueue queue(3, 10);
  EXPECT_TRUE(queue.push(prompt_of(1, 1, 4)));
  EXPECT_FALSE(queue.push(prompt_of(2, 1, 7)));
  EXPECT_TRUE(queue.push(prompt_of(3, 2, 6)));
  EXPECT_EQ(queue.bytes(), 10u);
  EXPECT_TRUE(queue.push(prompt_of(4, 2, 0)));
  EXPECT_FALSE(queue.push(prompt_of(5, 2, 0))) << "three wait";
  EXPECT_EQ(queue.pop()->relay_id, 1);
  EXPECT_TRUE(queue.push(prompt_of(6, 1, 4)));
}

TEST(PromptQueue, GivesBackTheRoomOfWhatLeaves) {
  PromptQueue queue(10, 10);
  for (std::int64_t id = 1; id <= 5; ++id) {
    EXPECT_TRUE(queue.push(prompt_of(id, static_cast<std::uint64_t>(1 + id % 2), 2)));
  }
  EXPECT_TRUE(queue.remove(3));
  EXPECT_FALSE(queue.remove(3));
  EXPECT_EQ(queue.bytes(), 8u);
  const auto of_two = queue.take_of(ClientId(2));
  ASSERT_EQ(of_two.size(), 2u);
  EXPECT_EQ(of_two[0].relay_id, 1);
  EXPECT_EQ(of_two[1].relay_id, 5);
  EXPECT_TRUE(queue.holds(2));
  EXPECT_EQ(queue.take_of(ClientId()).size(), 2u);
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_FALSE(queue.pop());
}

}  // namespace
}  // namespace relay
