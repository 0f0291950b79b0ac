#include "session/prompt_queue.hpp"

#include <algorithm>
#include <utility>

namespace relay {

bool PromptQueue::push(QueuedPrompt prompt) {
  if (prompts_.size() >= max_prompts_ || !bytes_.take(prompt.to_agent.size())) return false;
  prompts_.push_back(std::move(prompt));
  return true;
}

std::optional<QueuedPrompt> PromptQueue::pop() {
  if (prompts_.empty()) return std::nullopt;
  QueuedPrompt next = std::move(prompts_.front());
  prompts_.pop_front();
  bytes_.give(next.to_agent.size());
  return next;
}

bool PromptQueue::remove(std::int64_t relay_id) {
  const auto found = std::ranges::find(prompts_, relay_id, &QueuedPrompt::relay_id);
  if (found == prompts_.end()) return false;
  bytes_.give(found->to_agent.size());
  prompts_.erase(found);
  return true;
}

std::vector<QueuedPrompt> PromptQueue::take_of(ClientId client) {
  std::vector<QueuedPrompt> taken;
  std::list<QueuedPrompt> kept;
  for (QueuedPrompt& prompt : prompts_) {
    if (client != ClientId() && prompt.client != client) {
      kept.push_back(std::move(prompt));
      continue;
    }
    bytes_.give(prompt.to_agent.size());
    taken.push_back(std::move(prompt));
  }
  prompts_ = std::move(kept);
  return taken;
}

bool PromptQueue::holds(std::int64_t relay_id) const {
  return std::ranges::find(prompts_, relay_id, &QueuedPrompt::relay_id) != prompts_.end();
}

}  // namespace relay
