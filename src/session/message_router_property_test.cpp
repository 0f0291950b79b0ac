// Random traffic of clients and an agent: whatever happens, every request gets exactly one answer
// under its own id, and what is forwarded differs from what was sent only in the ids.
#include "protocol/rpc.hpp"
#include "session/message_router.hpp"
#include "session/routed_session.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

namespace relay {
namespace {

using ::testing::IsEmpty;

unsigned first_seed() {
  const char* const chosen = std::getenv("RELAY_TEST_SEED");
  return chosen != nullptr ? static_cast<unsigned>(std::strtoul(chosen, nullptr, 10))
                           : std::random_device{}();
}

// Payloads that a parser and a writer would not give back as they are.
const std::vector<std::string> kPayloads = {
    R"({"n":18446744073709551616,"d":1.0,"e":1E+2,"z":-0.0})",
    R"({"s":"\u0041\/\ud83d\ude00 ","unknown":{"sessionid":"x","id":1}})",
    R"({ "spaces" :  [ 1 , 2,3 ] , "null":null })",
    R"({"same":1,"same":2,"long":0.1000000000000000055511151231257827})",
    "{\"text\":\"\xc3\xa4\xe2\x82\xac\",\"empty\":{},\"list\":[[],[[]]]}",
    R"({"token":"{\"jsonrpc\":\"2.0\",\"id\":1}"})",
};

class Traffic {
 public:
  explicit Traffic(unsigned seed) : random_(seed), session_(limits()) {
    for (int i = 0; i < 3; ++i) clients_.push_back(session_.join());
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      look();
    }
    drain();
  }

 private:
  struct Waiting {  // a request that has no answer yet
    std::string id;
    std::string payload;
  };
  struct AtAgent {
    std::string id;  // the relay's
    std::string payload;
  };

  static RouterLimits limits() {
    RouterLimits chosen;
    chosen.max_queued_prompts = 3;
    chosen.max_pending_requests = 20;
    return chosen;
  }

  unsigned below(std::size_t bound) {
    return std::uniform_int_distribution<unsigned>(0, static_cast<unsigned>(bound) - 1)(random_);
  }
  template <class List>
  auto& any(List& list) {
    return list[below(list.size())];
  }

  // Ids that two spell alike, of all types; each client uses one only while it is free.
  std::string fresh_id() {
    const std::string number = std::to_string(++last_id_);
    switch (below(4)) {
      case 0:
        return number;
      case 1:
        return "\"" + number + "\"";
      case 2:
        return number + "00000000000000000000";
      default:
        return "\"\\u0041" + number + "\"";
    }
  }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return client_request();
      case 3:
      case 4:
        return client_prompt();
      case 5:
        return agent_request();
      case 6:
      case 7:
        return agent_answer();
      case 8:
        return client_answer();
      case 9:
        return agent_notification();
      case 10:
        if (below(4) == 0) {
          session_.client(any(clients_), rpc::notification("session/cancel", "{}"));
        } else if (below(8) == 0) {
          const std::string id(RoutedSession::kRelayId);
          session_.cancel_for(below(4) == 0 ? id + ".kid" : id);
        }
        return;
      default:
        return come_and_go();
    }
  }

  void client_request() {
    const ClientId from = any(clients_);
    const std::string id = fresh_id();
    const std::string payload = any(kPayloads);
    asked_[from].push_back({id, payload});
    session_.client(from, rpc::request(id, "_x/ask", payload));
  }

  void client_prompt() {
    const ClientId from = any(clients_);
    const std::string id = fresh_id();
    asked_[from].push_back({id, {}});
    session_.prompt(from, id);
  }

  void agent_request() {
    const std::string id = fresh_id();
    const std::string payload = any(kPayloads);
    static const std::vector<std::string> kMethods = {"session/request_permission", "_x/reverse",
                                                      "elicitation/create", "fs/read_text_file"};
    agent_asked_.push_back(id);
    session_.agent(rpc::request(id, any(kMethods), payload));
  }

  void agent_answer() {
    if (at_agent_.empty()) return;
    const std::size_t which = below(at_agent_.size());
    const AtAgent request = at_agent_[which];
    at_agent_.erase(at_agent_.begin() + static_cast<std::ptrdiff_t>(which));
    const std::string& payload = any(kPayloads);
    session_.agent(below(5) == 0 ? R"({"error":)" + payload + R"(, "id":)" + request.id +
                                       R"( ,"jsonrpc":"2.0"})"
                                 : rpc::result(request.id, payload));
  }

  void client_answer() {
    const ClientId from = any(clients_);
    auto& requests = at_client_[from];
    if (requests.empty()) return;
    const std::string id = requests.front();
    requests.erase(requests.begin());
    session_.client(
        from, below(4) == 0 ? rpc::plain_error(id, -1, "no") : rpc::result(id, any(kPayloads)));
  }

  void agent_notification() {
    const std::string text = rpc::notification("_x/news", any(kPayloads));
    look();
    session_.agent(text);
    for (const ClientId one : clients_) {
      const auto got = session_.take(one);
      ASSERT_THAT(got, testing::ElementsAre(text)) << "a notification passes byte for byte";
    }
  }

  void come_and_go() {
    if (below(3) != 0) return;
    const std::size_t which = below(clients_.size());
    const ClientId gone = clients_[which];
    session_.leave(gone);
    asked_.erase(gone);  // nobody is there to be answered
    at_client_.erase(gone);
    clients_[which] = session_.join();
  }

  // Sorts what everyone got.
  void look() {
    for (const std::string& text : session_.take_agent()) at_the_agent(text);
    for (const ClientId one : clients_) {
      for (const std::string& text : session_.take(one)) at_a_client(one, text);
    }
  }

  void at_the_agent(const std::string& text) {
    const auto frame = Frame::parse(text, {});
    ASSERT_TRUE(frame) << text;
    const std::string id(frame->id());
    if (frame->kind() == FrameKind::kRequest) {
      at_agent_.push_back({id, std::string(frame->params())});
      if (frame->method() != "_x/ask") return;
      const bool known =
          std::find(kPayloads.begin(), kPayloads.end(), frame->params()) != kPayloads.end();
      ASSERT_TRUE(known) << "changed on its way: " << text;
    } else if (frame->is_response()) {
      const auto asked = std::find(agent_asked_.begin(), agent_asked_.end(), id);
      ASSERT_NE(asked, agent_asked_.end()) << "not asked, or answered twice: " << text;
      agent_asked_.erase(asked);
    }
  }

  void at_a_client(ClientId to, const std::string& text) {
    const auto frame = Frame::parse(text, {});
    ASSERT_TRUE(frame) << text;
    if (frame->kind() == FrameKind::kRequest) {
      at_client_[to].push_back(std::string(frame->id()));
      const bool known =
          std::find(kPayloads.begin(), kPayloads.end(), frame->params()) != kPayloads.end();
      ASSERT_TRUE(known) << "changed on its way: " << text;
    } else if (frame->is_response()) {
      auto& waiting = asked_[to];
      const auto asked = std::find_if(waiting.begin(), waiting.end(),
                                      [&](const Waiting& one) { return one.id == frame->id(); });
      ASSERT_NE(asked, waiting.end()) << "not asked, or answered twice: " << text;
      waiting.erase(asked);
    }
  }

  // The agent answers all that it has, the clients leave, and the clock runs out.
  void drain() {
    look();
    while (!at_agent_.empty()) {
      agent_answer();
      look();
    }
    for (const auto& [client, waiting] : asked_) {
      EXPECT_THAT(waiting, IsEmpty()) << "a request without an answer";
    }
    for (const ClientId one : clients_) session_.leave(one);
    clients_.clear();
    session_.pass(std::chrono::hours(1));
    look();
    EXPECT_THAT(agent_asked_, IsEmpty()) << "a request of the agent without an answer";
    EXPECT_FALSE(session_.router.turn_running());
    EXPECT_EQ(session_.router.queued_prompts(), 0u);
    EXPECT_THAT(session_.broken(), IsEmpty());
    EXPECT_EQ(session_.skipped(), forgotten()) << "each was answered too late";
  }

  // Requests of clients that had left which were not waited for to their end.
  std::size_t forgotten() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(session_.records(), [](const storage::MessageRecord& record) {
          return record.kind == storage::MessageKind::kResponse &&
                 record.body.view().find("clients that have left") != std::string_view::npos;
        }));
  }

  std::mt19937 random_;
  RoutedSession session_;
  std::vector<ClientId> clients_;
  std::map<ClientId, std::vector<Waiting>> asked_;
  std::map<ClientId, std::vector<std::string>> at_client_;
  std::vector<AtAgent> at_agent_;
  std::vector<std::string> agent_asked_;
  std::uint64_t last_id_ = 0;
};

TEST(MessageRouterProperty, EveryRequestGetsOneAnswerWhateverHappens) {
  const unsigned seed = first_seed();
  for (unsigned round = 0; round < 50 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("RELAY_TEST_SEED=" + std::to_string(seed + round));
    Traffic(seed + round).run(400);
  }
}

// One frame with everything odd in it, through each way that a frame can take.
TEST(MessageRouterProperty, OnlyIdsDifferOnTheWay) {
  for (const std::string& payload : kPayloads) {
    for (const std::string& before : {std::string("{"), std::string(" { ")}) {
      RoutedSession session;
      const ClientId a = session.join();
      const auto frame = [&](const std::string& id, const std::string& member) {
        return before + R"("x-first":1.00,"id": )" + id + R"( ,"jsonrpc":"2.0")" + member +
               payload + R"(,"x-last":[1e5]})";
      };
      const std::string ask = R"(,"method":"_x/ask","params": )";
      const std::string result = R"(,"result": )";
      session.client(a, frame("\"q\"", ask));
      EXPECT_THAT(session.take_agent(), testing::ElementsAre(frame("1", ask)));
      session.agent(frame("1", result));
      EXPECT_THAT(session.take(a), testing::ElementsAre(frame("\"q\"", result)));
      session.agent(frame("-7", ask));
      EXPECT_THAT(session.take(a), testing::ElementsAre(frame("2", ask)));
      session.client(a, frame("2", result));
      EXPECT_THAT(session.take_agent(), testing::ElementsAre(frame("-7", result)));
    }
  }
}

}  // namespace
}  // namespace relay
