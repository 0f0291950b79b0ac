#include "session/agent_calls.hpp"
#include "session/client_calls.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

const ClientId kAda(1);
const ClientId kBob(2);

TEST(ClientCalls, TellsIdsOfDifferentTypesAndClientsApart) {
  ClientCalls calls(10);
  calls.add(100, {kAda, "1", "m"});
  EXPECT_EQ(calls.refusal(kAda, "1"), ClientCalls::Refusal::kDuplicateId);
  EXPECT_EQ(calls.refusal(kAda, "\"1\""), std::nullopt);
  EXPECT_EQ(calls.refusal(kBob, "1"), std::nullopt);
  EXPECT_EQ(calls.relay_id(kAda, "1"), 100);
  EXPECT_EQ(calls.relay_id(kBob, "1"), std::nullopt);
}

TEST(ClientCalls, IsTakenOnce) {
  ClientCalls calls(10);
  calls.add(1, {kAda, "a", "m"});
  calls.add(2, {kAda, "b", "m"});
  calls.add(3, {kAda, "c", "m"});
  const auto taken = calls.take(1);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->id, "a");
  EXPECT_FALSE(calls.take(1));
  EXPECT_EQ(calls.find(1), nullptr);
  EXPECT_EQ(calls.relay_id(kAda, "b"), 2);
  EXPECT_EQ(calls.relay_id(kAda, "c"), 3);
  EXPECT_EQ(calls.size(), 2u);
}

TEST(ClientCalls, BoundsEachClient) {
  ClientCalls calls(1);
  calls.add(1, {kAda, "1", "m"});
  EXPECT_EQ(calls.refusal(kAda, "2"), ClientCalls::Refusal::kTooMany);
  EXPECT_EQ(calls.refusal(kBob, "2"), std::nullopt);
  calls.take(1);
  EXPECT_EQ(calls.refusal(kAda, "2"), std::nullopt);
}

TEST(ClientCalls, OutliveTheirClientAndComeInTheOrderOfAsking) {
  ClientCalls calls(10);
  for (std::int64_t id = 5; id > 0; --id) calls.add(id, {kAda, std::to_string(id), "m"});
  calls.client_left(kAda);
  EXPECT_EQ(calls.relay_id(kAda, "1"), std::nullopt);
  std::string order;
  for (const ClientCall& call : calls.take_all()) order += call.id;
  EXPECT_EQ(order, "12345");
  EXPECT_EQ(calls.size(), 0u);
}

TEST(AgentCalls, AreFoundByBothIds) {
  AgentCalls calls(1u << 20);
  AgentCall call;
  call.agent_id = "\"x\"";
  call.asked = {kAda};
  calls.add(7, call);
  EXPECT_EQ(calls.id_of("\"x\""), 7);
  EXPECT_EQ(calls.id_of("x"), std::nullopt);
  EXPECT_NE(calls.find(7), nullptr);
  EXPECT_EQ(calls.find(8), nullptr);
  EXPECT_TRUE(calls.was_asked(7, kAda));
  EXPECT_FALSE(calls.was_asked(7, kBob));
  EXPECT_FALSE(calls.was_asked(8, kAda));
  calls.remove(7);
  EXPECT_EQ(calls.find(7), nullptr);
}

TEST(AgentCalls, TellTheNearestDeadline) {
  using Time = std::chrono::steady_clock::time_point;
  AgentCalls calls(1u << 20);
  EXPECT_EQ(calls.next_deadline(), std::nullopt);
  AgentCall call;
  calls.add(1, call);
  EXPECT_EQ(calls.next_deadline(), std::nullopt);
  call.deadline = Time(std::chrono::seconds(9));
  calls.add(2, call);
  call.deadline = Time(std::chrono::seconds(3));
  calls.add(3, call);
  EXPECT_EQ(calls.next_deadline(), Time(std::chrono::seconds(3)));
}

TEST(AgentCalls, AreBoundedInBytes) {
  AgentCalls calls(10);
  AgentCall call;
  call.to_client = SharedBytes(std::string("123456"));
  EXPECT_TRUE(calls.add(1, call).has_room);
  EXPECT_FALSE(calls.add(2, call).has_room);
  calls.remove(2);
  EXPECT_FALSE(calls.add(3, call).has_room) << "what had no room gives none back";
  calls.remove(1);
  EXPECT_TRUE(calls.add(4, call).has_room);
  calls.clear();
  EXPECT_TRUE(calls.add(5, call).has_room);
}

TEST(ClientCalls, TellTheOnlyOneThatWaits) {
  const auto none_left_out = [](std::int64_t) { return false; };
  ClientCalls calls(10);
  EXPECT_FALSE(calls.only_one_but(none_left_out));
  calls.add(7, {ClientId(1), "1", "session/prompt"});
  EXPECT_EQ(calls.only_one_but(none_left_out), 7);
  calls.add(8, {ClientId(1), "2", "session/prompt"});
  EXPECT_FALSE(calls.only_one_but(none_left_out));
  EXPECT_EQ(calls.only_one_but([](std::int64_t id) { return id == 8; }), 7);
}

}  // namespace
}  // namespace relay
