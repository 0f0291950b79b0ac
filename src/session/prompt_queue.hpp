// Prompts that wait behind a running turn, in the order they came: bounded in number and in bytes.
// Pure.
#pragma once

#include "base/byte_budget.hpp"
#include "protocol/shared_bytes.hpp"
#include "protocol/trace_context.hpp"
#include "session/client.hpp"

#include <cstdint>
#include <list>
#include <optional>
#include <vector>

namespace relay {

struct QueuedPrompt {
  std::int64_t relay_id = 0;
  ClientId client;
  SharedBytes to_agent;
  std::optional<TraceContext> trace{};  // that it is part of
};

class PromptQueue {
 public:
  PromptQueue(std::size_t max_prompts, std::size_t max_bytes)
      : max_prompts_(max_prompts), bytes_(max_bytes) {}

  // False: it is full, in number or in bytes.
  [[nodiscard]] bool push(QueuedPrompt prompt);
  std::optional<QueuedPrompt> pop();
  // False: it does not wait here.
  bool remove(std::int64_t relay_id);
  // Those of a client, of nobody (0) all.
  std::vector<QueuedPrompt> take_of(ClientId client);

  bool holds(std::int64_t relay_id) const;
  std::size_t size() const { return prompts_.size(); }
  std::size_t bytes() const { return bytes_.used(); }

 private:
  std::size_t max_prompts_;
  ByteBudget bytes_;
  std::list<QueuedPrompt> prompts_;  // mostly empty, and then without memory
};

}  // namespace relay
