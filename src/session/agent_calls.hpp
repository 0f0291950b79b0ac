// Requests of the agent that no client has answered yet, and which clients were asked. Pure.
#pragma once

#include "base/byte_budget.hpp"
#include "protocol/acp.hpp"
#include "protocol/shared_bytes.hpp"
#include "session/client.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

struct AgentCall {
  std::string agent_id;  // JSON text
  acp::ReverseKind kind = acp::ReverseKind::kOther;
  SharedBytes to_client;       // the request as clients get it
  std::string_view session{};  // in it: whose a question is, JSON text. Set by AgentCalls
  std::int64_t sequence = 0;
  // A client that has the stream up to here has read it: its number, or a higher one when it was
  // shown again since.
  std::int64_t place = 0;
  std::chrono::steady_clock::time_point since{};  // when it was asked
  std::vector<ClientId> asked;                    // who has it and has not answered
  // Set while nobody is there to answer: when the policy answers instead.
  std::optional<std::chrono::steady_clock::time_point> deadline;

  std::int64_t turn = 0;      // the turn in which it was asked; 0: none ran
  bool of_request = false;    // asked about a request of its client, which the others do not know
  bool is_open = false;       // the one who was asked has left: whoever can answer it may
  bool is_withdrawn = false;  // the agent does not want to know any more
  bool has_room = true;       // its bytes are counted; false: the agent gets an error at once

  bool is_anybodys() const {
    return !is_withdrawn && (kind == acp::ReverseKind::kPermission || is_open);
  }

  // JSON text, with the relay's session id.
  std::string_view params() const;
};

// Keyed by the id that clients see, in the order of asking. Bounded in bytes here, in number by the
// router.
class AgentCalls {
 public:
  explicit AgentCalls(std::size_t max_bytes) : bytes_(max_bytes) {}

  // Sets has_room.
  AgentCall& add(std::int64_t id, AgentCall call);
  AgentCall* find(std::int64_t id);
  const AgentCall* find(std::int64_t id) const;
  std::optional<std::int64_t> id_of(std::string_view agent_id) const;
  std::optional<AgentCall> take(std::int64_t id);
  void remove(std::int64_t id) { take(id); }
  std::map<std::int64_t, AgentCall> take_all();

  bool was_asked(std::int64_t id, ClientId client) const;
  std::optional<std::chrono::steady_clock::time_point> next_deadline() const;

  std::size_t permissions() const;  // permission requests among them
  // When the oldest of those was asked.
  std::optional<std::chrono::steady_clock::time_point> oldest_permission() const;

  std::map<std::int64_t, AgentCall>& all() { return calls_; }
  const std::map<std::int64_t, AgentCall>& all() const { return calls_; }

 private:
  ByteBudget bytes_;
  std::map<std::int64_t, AgentCall> calls_;
};

}  // namespace relay
