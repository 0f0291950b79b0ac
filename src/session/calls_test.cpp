#include "session/agent_calls.hpp"
#include "session/client_calls.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

const ClientId kAda(1);
const ClientId kBob(2);
constexpr std::size_t kRoomy = 1u << 20;

TEST(ClientCalls, TellsIdsOfDifferentTypesAndClientsApart) {
  ClientCalls calls(10, kRoomy);
  calls.add(100, {kAda, "1"});
  EXPECT_EQ(calls.refusal({kAda, "1"}), ClientCalls::Refusal::kDuplicateId);
  EXPECT_EQ(calls.refusal({kAda, "\"1\""}), std::nullopt);
  EXPECT_EQ(calls.refusal({kBob, "1"}), std::nullopt);
  EXPECT_EQ(calls.relay_id(kAda, "1"), 100);
  EXPECT_EQ(calls.relay_id(kBob, "1"), std::nullopt);
}

TEST(ClientCalls, IsTakenOnce) {
  ClientCalls calls(10, kRoomy);
  calls.add(1, {kAda, "a"});
  calls.add(2, {kAda, "b"});
  calls.add(3, {kAda, "c"});
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
  ClientCalls calls(1, kRoomy);
  calls.add(1, {kAda, "1"});
  EXPECT_EQ(calls.refusal({kAda, "2"}), ClientCalls::Refusal::kTooMany);
  EXPECT_EQ(calls.refusal({kBob, "2"}), std::nullopt);
  calls.take(1);
  EXPECT_EQ(calls.refusal({kAda, "2"}), std::nullopt);
}

std::string ids_of(const std::vector<ClientCall>& calls) {
  std::string ids;
  for (const ClientCall& call : calls) ids += call.id;
  return ids;
}

TEST(ClientCalls, OfClientsThatHaveLeftAreForgottenWhenTheyAreTooManyTheOldestFirst) {
  ClientCalls calls(2, kRoomy);
  for (std::int64_t visit = 1; visit <= 2; ++visit) {
    const ClientId visitor(static_cast<std::uint64_t>(visit));
    calls.add(visit, {visitor, std::to_string(visit)});
    EXPECT_EQ(ids_of(calls.client_left(visitor)), "");
  }
  EXPECT_TRUE(calls.waits("1"));
  const ClientId next(3);
  ASSERT_EQ(calls.refusal({next, "3"}), std::nullopt) << "who is there has room of its own";
  calls.add(4, {next, "4"});
  calls.add(3, {next, "3"});
  EXPECT_EQ(ids_of(calls.client_left(next)), "12");
  EXPECT_FALSE(calls.take(1)) << "its answer comes too late";
  const auto answered = calls.take(3);
  ASSERT_TRUE(answered) << "what the agent answers belongs to something";
  EXPECT_EQ(answered->client, kGoneClient);
  calls.add(5, {kGoneClient, "5"});  // as the calls of an earlier run
  calls.add(6, {kGoneClient, "6"});
  EXPECT_EQ(ids_of(calls.client_left(ClientId(4))), "4");
  EXPECT_EQ(ids_of(calls.take_all()), "56");
}

TEST(ClientCalls, OfClientsThatHaveLeftAreForgottenWhenTheyAreTooLarge) {
  const std::string id(100, '1');
  ClientCalls calls(10, 2 * (ClientCalls::kCallBytes + 2 * id.size()));
  for (std::int64_t visit = 1; visit <= 2; ++visit) {
    calls.add(visit, {kAda, id});
    EXPECT_EQ(ids_of(calls.client_left(kAda)), "");
  }
  calls.add(3, {kAda, "3"});
  EXPECT_EQ(ids_of(calls.client_left(kAda)), id);
  EXPECT_NE(calls.find(2), nullptr);
  EXPECT_NE(calls.find(3), nullptr);
  calls.add(4, {kAda, id + id + id + id});  // larger than all of the room
  EXPECT_EQ(calls.client_left(kAda).size(), 3u);
  EXPECT_EQ(calls.size(), 0u);
}

TEST(ClientCalls, AreNotForgottenWhenTheyArePrompts) {
  ClientCalls calls(1, kRoomy);
  for (std::int64_t visit = 1; visit <= 3; ++visit) {
    calls.add(visit, client_call(kAda, "1", "session/prompt", "{}"));
    EXPECT_EQ(calls.client_left(kAda).size(), 0u);
  }
  calls.add(4, client_call(kGoneClient, "1", "session/prompt", "{}"));
  calls.add(5, {kAda, "5"});
  EXPECT_EQ(calls.client_left(kAda).size(), 0u) << "prompts take no room of others";
  calls.add(6, {kAda, "6"});
  EXPECT_EQ(ids_of(calls.client_left(kAda)), "5");
  EXPECT_EQ(ids_of(calls.take_all()), "11116");
}

TEST(ClientCalls, AreBoundedInBytesByThoseOfWhoIsThere) {
  const std::string id(100, '1');
  ClientCalls calls(10, 2 * (ClientCalls::kCallBytes + 2 * id.size()));
  calls.add(1, {kAda, id});
  ASSERT_EQ(calls.refusal({kBob, id}), std::nullopt);
  calls.add(2, {kBob, id});
  EXPECT_EQ(calls.refusal({kBob, "1"}), ClientCalls::Refusal::kNoRoom);
  calls.add(3, {kBob, "1"});
  calls.take(3);
  EXPECT_EQ(calls.refusal({kBob, "1"}), ClientCalls::Refusal::kNoRoom)
      << "what had no room gives none back";
  calls.client_left(kAda);
  EXPECT_EQ(calls.refusal({kBob, id + "1"}), ClientCalls::Refusal::kNoRoom);
  EXPECT_EQ(calls.refusal({kBob, "1"}), std::nullopt);
  calls.take(1);
  EXPECT_EQ(calls.refusal({kBob, id + "1"}), ClientCalls::Refusal::kNoRoom)
      << "its room was given back before";
}

TEST(ClientCall, KeepsWhatItsAnswerChangesAndNoMore) {
  using Changes = ClientCall::Changes;
  const std::string longest = '"' + std::string(kLongestMode - 2, 'x') + '"';
  const std::string longer = '"' + std::string(kLongestMode - 1, 'x') + '"';
  struct Row {
    std::string method;
    std::string params;
    Changes changes;
    std::string mode;
  };
  for (const Row& row : {
           Row{"session/set_mode", R"({"modeId":"ask"})", Changes::kMode, R"("ask")"},
           Row{"session/set_mode", R"({"modeId":)" + longest + "}", Changes::kMode, longest},
           Row{"session/set_mode", R"({"modeId":)" + longer + "}", Changes::kMode, ""},
           Row{"session/set_mode", "{}", Changes::kMode, ""},
           Row{"session/set_mode", "", Changes::kMode, ""},
           Row{"session/set_config_option", R"({"modeId":"ask"})", Changes::kOptions, ""},
           Row{"session/prompt", R"({"modeId":"ask"})", Changes::kNothing, ""},
       }) {
    const ClientCall call = client_call(kAda, "\"1\"", row.method, row.params);
    EXPECT_EQ(call.id, "\"1\"");
    EXPECT_EQ(call.changes, row.changes) << row.method << row.params.substr(0, 50);
    EXPECT_EQ(call.mode, row.mode) << row.method << row.params.substr(0, 50);
    EXPECT_EQ(call.is_prompt, row.method == "session/prompt");
  }
}

TEST(ClientCalls, OutliveTheirClientAndComeInTheOrderOfAsking) {
  ClientCalls calls(10, kRoomy);
  for (std::int64_t id = 5; id > 0; --id) calls.add(id, {kAda, std::to_string(id)});
  calls.client_left(kAda);
  EXPECT_EQ(calls.relay_id(kAda, "1"), std::nullopt);
  EXPECT_EQ(ids_of(calls.take_all()), "12345");
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
  EXPECT_EQ(calls.take_all().size(), 2u);
  EXPECT_TRUE(calls.add(5, call).has_room);
}

TEST(ClientCalls, TellTheOnlyOneThatWaits) {
  const auto none_left_out = [](std::int64_t) { return false; };
  ClientCalls calls(10, kRoomy);
  EXPECT_FALSE(calls.only_one_but(none_left_out));
  calls.add(7, {ClientId(1), "1"});
  EXPECT_EQ(calls.only_one_but(none_left_out), 7);
  calls.add(8, {ClientId(1), "2"});
  EXPECT_FALSE(calls.only_one_but(none_left_out));
  EXPECT_EQ(calls.only_one_but([](std::int64_t id) { return id == 8; }), 7);
}

}  // namespace
}  // namespace relay
