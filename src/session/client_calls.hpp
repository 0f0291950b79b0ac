// Requests of clients that the agent has not answered yet: the relay's id <-> (client, the client's
// id). Two clients may both use the id 1, and 1 and "1" differ. Pure.
//
// They are bounded in number for each client, and in bytes for all of a session. The calls of a
// client that has left stay until the agent answers: their answers belong to something, close the
// request in the log, and may change the session. Of these only the last ones are kept, as many as
// of one client and in as many bytes: whoever comes again and again can't leave any number of them,
// and takes no room from those who are there. Prompts stay all: their turns end, and their queue
// has its own bound.
#pragma once

#include "base/byte_budget.hpp"
#include "session/client.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relay {

struct ClientCall {
  // What its result changes for everybody.
  enum class Changes { kNothing, kMode, kOptions };

  ClientId client;  // kGoneClient once it has left
  std::string id;   // the client's, JSON text
  Changes changes = Changes::kNothing;
  std::string mode{};  // kMode: the one that is asked for, JSON text
  bool is_prompt = false;

  // Set by ClientCalls.
  std::int64_t relay_id = 0;
  bool has_room = false;  // its bytes are counted among those of clients that are there
};

// A longer mode (JSON text) is not kept: of such a one the other clients hear from the agent alone.
inline constexpr std::size_t kLongestMode = 4u << 10;

// The call that a request makes.
ClientCall client_call(ClientId client, std::string_view id, std::string_view method,
                       std::string_view params);

class ClientCalls {
 public:
  // What a call counts beside its texts.
  static constexpr std::size_t kCallBytes = 256;

  enum class Refusal {
    kDuplicateId,
    kTooMany,  // of this client
    kNoRoom,   // in bytes
  };

  ClientCalls(std::size_t max_per_client, std::size_t max_bytes)
      : max_per_client_(max_per_client), bytes_(max_bytes) {}

  // Why the call can't be taken; empty when it can.
  std::optional<Refusal> refusal(const ClientCall& call) const;

  // Takes it whatever refusal() says: calls of an earlier run may be more than the bounds of now.
  void add(std::int64_t relay_id, ClientCall call);

  // The call that the agent's response with this id ends.
  std::optional<ClientCall> take(std::int64_t relay_id);
  const ClientCall* find(std::int64_t relay_id) const;

  // The call that waits for the agent when there is just one, those that `is_left_out` likes aside.
  std::optional<std::int64_t> only_one_but(
      const std::function<bool(std::int64_t)>& is_left_out) const;

  // The relay's id for a live request of the client.
  std::optional<std::int64_t> relay_id(ClientId client, std::string_view id) const;

  // Those of its requests that wait for an answer, as it named them.
  std::vector<std::string> ids(ClientId client) const;

  // Whether a request with this id waits for its answer, also of a client that has left.
  bool waits(std::string_view id) const;

  std::vector<ClientCall> take_all();

  // Nobody can be answered, cancel or ask twice any more; its calls stay until the agent answers.
  // Takes out the oldest calls of clients that have left which are more than is kept of them.
  std::vector<ClientCall> client_left(ClientId client);

  std::size_t size() const { return calls_.size(); }

 private:
  struct Live {
    std::string id;
    std::int64_t relay_id;
  };

  void keep_left(const ClientCall& call);

  std::size_t max_per_client_;
  ByteBudget bytes_;
  std::set<std::int64_t> left_;  // calls of kGoneClient but for prompts, in the order of asking
  std::size_t left_bytes_ = 0;
  std::unordered_map<std::int64_t, ClientCall> calls_;
  std::unordered_map<ClientId, std::vector<Live>> live_;  // clients that are there
};

}  // namespace relay
