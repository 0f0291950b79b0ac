#include "bridge/questions.hpp"

#include "bridge/message.hpp"

namespace relay::bridge {
namespace {

// Beyond it the oldest that nobody needs answered is forgotten. The relay bounds the others.
constexpr std::size_t kMaxQuestions = 1024;

}  // namespace

Questions::Shown Questions::show(const Frame& frame, std::optional<std::int64_t> sequence,
                                 std::size_t digest) {
  const std::string id(frame.id());
  const std::string session = session_of(frame);
  if (const auto known = by_relay_id_.find(id); known != by_relay_id_.end()) {
    Question& question = questions_.at(known->second);
    const bool same_number = sequence && question.sequence == sequence;
    if (!question.awaited && question.session == session &&
        (same_number || question.digest == digest)) {
      question.awaited = true;
      question.withdrawn = false;
      return {known->second, true};
    }
    // Another request under an id that the relay used before it was started again.
    questions_.erase(known->second);
    by_relay_id_.erase(known);
  }
  make_room();
  const std::int64_t number = next_++;
  Question question;
  question.relay_id = id;
  question.session = session;
  question.sequence = sequence;
  question.digest = digest;
  questions_.emplace(number, std::move(question));
  by_relay_id_.emplace(id, number);
  return {number, false};
}

void Questions::make_room() {
  if (questions_.size() < kMaxQuestions) return;
  for (const auto& [number, question] : questions_) {
    if (question.awaited && !question.withdrawn) continue;
    settle(number);
    return;
  }
}

Question* Questions::find(std::int64_t number) {
  const auto found = questions_.find(number);
  return found == questions_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> Questions::number_of(std::string_view relay_id) const {
  const auto found = by_relay_id_.find(relay_id);
  if (found == by_relay_id_.end()) return std::nullopt;
  return found->second;
}

void Questions::withdraw(std::int64_t number) {
  if (Question* question = find(number)) question->withdrawn = true;
}

void Questions::settle(std::int64_t number) {
  const auto found = questions_.find(number);
  if (found == questions_.end()) return;
  by_relay_id_.erase(found->second.relay_id);
  questions_.erase(found);
}

void Questions::drop() {
  for (auto next = questions_.begin(); next != questions_.end();) {
    const auto at = next++;
    if (at->second.session.empty()) {
      settle(at->first);
      continue;
    }
    at->second.awaited = false;
  }
}

void Questions::forget_session(std::string_view session) {
  for (auto next = questions_.begin(); next != questions_.end();) {
    const auto at = next++;
    if (at->second.session == session) settle(at->first);
  }
}

std::size_t Questions::held_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [number, question] : questions_) bytes += question.answer.size();
  return bytes;
}

void Questions::clear() {
  questions_.clear();
  by_relay_id_.clear();
}

}  // namespace relay::bridge
