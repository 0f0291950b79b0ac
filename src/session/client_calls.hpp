// Requests of clients that the agent has not answered yet: the relay's id <-> (client, the client's
// id). Two clients may both use the id 1, and 1 and "1" differ. Pure.
#pragma once

#include "session/client.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relay {

struct ClientCall {
  ClientId client;
  std::string id;  // the client's, JSON text
  std::string method;
  std::string setting{};      // session/set_mode: the mode that is asked for, JSON text
  std::int64_t relay_id = 0;  // set by ClientCalls
};

class ClientCalls {
 public:
  enum class Refusal { kDuplicateId, kTooMany };

  explicit ClientCalls(std::size_t max_per_client) : max_per_client_(max_per_client) {}

  // Why the request can't be taken; empty when it can.
  std::optional<Refusal> refusal(ClientId client, std::string_view id) const;

  void add(std::int64_t relay_id, ClientCall call);

  // The call that the agent's response with this id ends.
  std::optional<ClientCall> take(std::int64_t relay_id);
  const ClientCall* find(std::int64_t relay_id) const;

  // The call that waits for the agent when there is just one, those that `is_left_out` likes aside.
  std::optional<std::int64_t> only_one_but(
      const std::function<bool(std::int64_t)>& is_left_out) const;

  // The relay's id for a live request of the client.
  std::optional<std::int64_t> relay_id(ClientId client, std::string_view id) const;

  // Whether a request with this id waits for its answer, also of a client that has left.
  bool waits(std::string_view id) const;

  std::vector<ClientCall> take_all();

  // Forgets that the client can be answered; its calls stay until the agent answers.
  void client_left(ClientId client) { live_.erase(client); }

  std::size_t size() const { return calls_.size(); }

 private:
  struct Live {
    std::string id;
    std::int64_t relay_id;
  };

  std::size_t max_per_client_;
  std::unordered_map<std::int64_t, ClientCall> calls_;
  std::unordered_map<ClientId, std::vector<Live>> live_;
};

}  // namespace relay
