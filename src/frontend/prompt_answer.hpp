// Puts the answer of a blocking prompt together: the agent's response with the turn's updates in
// result._meta["acp-relay/updates"]. Pure.
#pragma once

#include "session/outbox.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace relay::frontend {

class PromptAnswer {
 public:
  // Updates beyond `max_bytes` are left out, the oldest first; _meta["acp-relay/truncated"] says
  // which.
  explicit PromptAnswer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(Delivery delivery);
  bool complete() const { return response_.has_value(); }
  std::string take();

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::deque<Delivery> updates_;
  std::optional<std::int64_t> first_dropped_;
  std::int64_t last_dropped_ = 0;
  std::optional<Delivery> response_;
};

}  // namespace relay::frontend
