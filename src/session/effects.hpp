// What the router decided: values that the session's shell performs in this order - records first
// (log, then deliver), then the agent, then the clients.
#pragma once

#include "base/error.hpp"
#include "protocol/shared_bytes.hpp"
#include "protocol/trace_context.hpp"
#include "session/audience.hpp"
#include "session/audit_words.hpp"
#include "storage/records.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace relay {

struct ToClients {
  Audience audience;
  Delivery delivery;
};

// Lines of the agent that were dropped, by reason.
struct Skipped {
  std::uint32_t unknown_id = 0;
};

struct TurnEnd {
  std::string stop_reason;  // the agent's word, "error" for a JSON-RPC error
  std::chrono::steady_clock::duration took{};
  bool failed = false;  // for want of the relay or its agent, not by what the client asked
  std::optional<TraceContext> trace{};  // that its prompt is part of
};

// A client's answer to a request of the agent, for the audit trail.
struct AnsweredCall {
  ClientId by;  // nobody: who has no connection of its own
  AuditWords words;
};

struct Effects {
  std::vector<storage::MessageRecord> records;
  std::vector<SharedBytes> states;  // updates that say how the agent stands now, for AgentState
  std::vector<SharedBytes> to_agent;
  std::int64_t prompt = 0;  // call of the prompt that is among them; 0: none
  std::uint32_t permissions_asked = 0;
  std::vector<ToClients> to_clients;
  std::vector<TurnEnd> turns_ended;
  std::vector<AnsweredCall> answered;
  std::vector<Error> refused;  // what the relay itself answered with
  Skipped skipped;
  std::vector<Error> misunderstood;  // of the agent, while somebody waits for its answer

  void clear() {
    records.clear();
    states.clear();
    to_agent.clear();
    prompt = 0;
    permissions_asked = 0;
    to_clients.clear();
    turns_ended.clear();
    answered.clear();
    refused.clear();
    skipped = {};
    misunderstood.clear();
  }
};

}  // namespace relay
