// A session without agent, clients, log and clock: what tests and fuzzing of the router share.
// Texts go in, and what everyone got comes out. Watches over what must hold for every message.
// Included by tests only.
#pragma once

#include "protocol/acp.hpp"
#include "protocol/rpc.hpp"
#include "session/message_router.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace relay {

inline constexpr ClientTraits kObserver{.may_act = false};
inline constexpr ClientTraits kDeaf{.can_answer = false, .own_turns_only = true};

// What clients get when a request that they were asked is settled.
inline std::string withdrawn(const std::string& id) {
  return rpc::notification(acp::kCancelRequest, R"({"requestId":)" + id + "}");
}

class RoutedSession {
 public:
  static constexpr std::string_view kRelayId = "sess_00112233445566778899aabbccddeeff";
  static constexpr std::string_view kAgentId = "agent-session-0001";
  static constexpr std::string_view kText = R"([{"type":"text","text":"hi"}])";

  explicit RoutedSession(RouterLimits limits = {}, std::string_view agent_session = kAgentId)
      : router(SessionId(std::string(kRelayId)), agent_session, limits, ids_, 0) {
    router.at(now_);
  }

  // A client that has not seen the past yet.
  ClientId arrive(ClientTraits traits = {}) {
    const ClientId id(++clients_);
    traits_[id] = traits;
    inboxes_[id];
    router.add_client(id, traits);
    return id;
  }
  void catch_up(ClientId id, storage::Sequence after = 0) {
    router.show_pending(id, effects_, after);
    perform();
  }
  ClientId join(ClientTraits traits = {}) {
    const ClientId id = arrive(traits);
    catch_up(id);
    return id;
  }
  void leave(ClientId id) {
    traits_.erase(id);
    router.remove_client(id, effects_);
    perform();
  }

  // False: the text is no message, and went nowhere.
  bool client(ClientId id, std::string text) {
    auto frame = Frame::parse(std::move(text), {});
    if (!frame) return false;
    router.from_client(id, std::move(*frame), effects_);
    perform();
    return true;
  }
  bool agent(std::string text) {
    FrameLimits limits;
    limits.watched_id = router.watched_id();
    auto frame = Frame::parse(std::move(text), limits);
    if (!frame) return false;
    router.from_agent(std::move(*frame), effects_);
    perform();
    return true;
  }
  void prompt(ClientId id, std::string_view request_id) {
    client(id, R"({"jsonrpc":"2.0","id":)" + std::string(request_id) +
                   R"(,"method":"session/prompt","params":{"prompt":)" + std::string(kText) + "}}");
  }
  void cancel(ClientId id) {
    client(id,
           rpc::notification(acp::kCancel, R"({"sessionId":")" + std::string(kRelayId) + "\"}"));
  }
  // By somebody without a connection.
  void cancel_for(std::string_view session) {
    router.cancel_for(session, effects_);
    perform();
  }
  void cancel_because(std::string_view reason, MessageRouter::Cancelled extent) {
    router.cancel_because(reason, extent, effects_);
    perform();
  }
  bool answer(std::int64_t request, std::string_view member, std::string_view json) {
    const bool taken = router.answer(request, member, json, effects_);
    perform();
    return taken;
  }
  // As a relay that goes on with what an earlier one left of this session.
  void restore(storage::OpenCalls calls, const storage::Progress& progress, const Error& error) {
    router.restore(std::move(calls), progress, error, effects_);
    perform();
  }
  void agent_ended(const Error& error) {
    router.agent_ended(error, effects_);
    perform();
  }
  void pass(std::chrono::milliseconds time) {
    now_.steady += time;
    now_.wall += time;
    router.at(now_);
    router.tick(effects_);
    perform();
  }

  // What came since it was asked last.
  std::vector<std::string> take_agent() { return std::exchange(agent_inbox_, {}); }
  std::vector<std::string> take(ClientId id) { return std::exchange(inboxes_[id], {}); }

  const std::vector<storage::MessageRecord>& records() const { return records_; }
  std::uint32_t skipped() const { return skipped_; }
  std::size_t misunderstood() const { return misunderstood_; }
  const std::vector<std::string>& stop_reasons() const { return stop_reasons_; }
  // What did not hold, in words.
  const std::vector<std::string>& broken() const { return broken_; }

 private:
  void require(bool holds, const std::string& what) {
    if (!holds) broken_.push_back(what);
  }

  void perform() {
    for (storage::MessageRecord& record : effects_.records) {
      require(record.sequence == static_cast<storage::Sequence>(records_.size()) + 1,
              "sequence numbers have no holes: " + std::to_string(record.sequence));
      records_.push_back(std::move(record));
    }
    require(router.last_sequence() == static_cast<storage::Sequence>(records_.size()),
            "the last sequence number is that of the last record");
    for (const SharedBytes& bytes : effects_.to_agent) {
      require(Frame::parse(std::string(bytes.view()), {}).has_value(),
              "the agent gets messages: " + std::string(bytes.view()));
      agent_inbox_.emplace_back(bytes.view());
    }
    for (const ToClients& message : effects_.to_clients) deliver(message);
    for (TurnEnd& end : effects_.turns_ended) stop_reasons_.push_back(std::move(end.stop_reason));
    skipped_ += effects_.skipped.unknown_id;
    misunderstood_ += effects_.misunderstood.size();
    effects_.clear();
  }

  void deliver(const ToClients& message) {
    const Delivery& delivery = message.delivery;
    const std::string text(delivery.bytes.view());
    require(Frame::parse(text, {}).has_value(), "clients get messages: " + text);
    if (delivery.sequence != 0) {
      const bool known = delivery.sequence > 0 && delivery.sequence <= router.last_sequence();
      require(known, "what is delivered is recorded: " + text);
      if (known) {
        const auto& record = records_[static_cast<std::size_t>(delivery.sequence) - 1];
        require(record.to_client && record.body.view() == text,
                "what is delivered is what is recorded: " + text);
      }
    }
    for (auto& [id, traits] : traits_) {
      const Receiver receiver{id, traits.own_turns_only};
      if (share_of(message.audience, delivery, receiver) == Share::kMessage) {
        inboxes_[id].push_back(text);
      }
    }
  }

  RequestIds ids_;

 public:
  MessageRouter router;

 private:
  Moment now_{};
  Effects effects_;
  std::uint64_t clients_ = 0;
  std::map<ClientId, ClientTraits> traits_;
  std::map<ClientId, std::vector<std::string>> inboxes_;
  std::vector<std::string> agent_inbox_;
  std::vector<storage::MessageRecord> records_;
  std::vector<std::string> stop_reasons_;
  std::uint32_t skipped_ = 0;
  std::size_t misunderstood_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace relay
