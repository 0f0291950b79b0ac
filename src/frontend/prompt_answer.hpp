// Puts the answer of a blocking prompt together: the agent's response with the turn's updates in
// result._meta["acp-relay/updates"]. Pure.
#pragma once

#include "http/message.hpp"
#include "session/outbox.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace relay::frontend {

// How a prompt is answered: at once at the end of the turn, or as a stream of events or lines.
enum class PromptForm { kAnswer, kEvents, kLines };

// What Accept likes best. A stream has to be asked for by its name: a client that takes anything
// gets one answer. Of equals, the stream that is named. Nothing: none of the three is acceptable.
std::optional<PromptForm> prompt_form(const http::Headers& headers);

class PromptAnswer {
 public:
  // Updates beyond `max_bytes` are left out, the oldest first; _meta["acp-relay/truncated"] says
  // which.
  explicit PromptAnswer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(Delivery delivery);
  bool complete() const { return response_.has_value(); }
  // The answer, once.
  std::string take();
  // The response alone, as it came.
  std::string take_response() { return std::string(response_->bytes.view()); }

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::vector<Delivery> updates_;
  std::size_t first_kept_ = 0;  // of them; those before are empty
  std::optional<std::int64_t> first_dropped_;
  std::int64_t last_dropped_ = 0;
  std::optional<Delivery> response_;
};

}  // namespace relay::frontend
