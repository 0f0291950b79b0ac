#include "frontend/prompt_answer.hpp"

#include "http/media_type.hpp"
#include "protocol/frame.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/splice.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace relay::frontend {

std::optional<PromptForm> prompt_form(const http::Headers& headers) {
  struct Choice {
    PromptForm form;
    http::Preference likes;
  };
  const std::array<Choice, 3> choices{{
      {PromptForm::kAnswer, http::preference(headers, "application/json")},
      {PromptForm::kEvents, http::preference(headers, "text/event-stream")},
      {PromptForm::kLines, http::preference(headers, "application/x-ndjson")},
  }};
  const auto rank = [](const Choice& choice) {
    const bool named_stream = choice.form != PromptForm::kAnswer && choice.likes.named;
    return 2 * choice.likes.weight + (named_stream ? 1 : 0);
  };
  const auto best = std::max_element(
      choices.begin(), choices.end(),
      [&](const Choice& left, const Choice& right) { return rank(left) < rank(right); });
  if (best->likes.weight == 0) return std::nullopt;
  return best->form;
}

void PromptAnswer::add(Delivery delivery) {
  if (complete()) return;
  if (delivery.kind == DeliveryKind::kResponse) {
    response_ = std::move(delivery);
    return;
  }
  if (delivery.kind != DeliveryKind::kUpdate) return;
  bytes_ += delivery.bytes.size();
  updates_.push_back(std::move(delivery));
  while (bytes_ > max_bytes_ && first_kept_ < updates_.size()) {
    Delivery& oldest = updates_[first_kept_++];
    if (!first_dropped_) first_dropped_ = oldest.sequence;
    last_dropped_ = oldest.sequence;
    bytes_ -= oldest.bytes.size();
    oldest.bytes = {};
  }
  if (first_kept_ > updates_.size() / 2) {
    updates_.erase(updates_.begin(), updates_.begin() + static_cast<std::ptrdiff_t>(first_kept_));
    first_kept_ = 0;
  }
}

std::string PromptAnswer::take() {
  std::string text;
  text.reserve(response_->bytes.size() + Frame::kPadding);
  text = response_->bytes.view();
  auto frame = Frame::parse(std::move(text), kAccepted);
  if (!frame || frame->kind() != FrameKind::kResult) return take_response();
  std::string members = R"("acp-relay/updates":[)";
  members.reserve(bytes_ + updates_.size() + 64);
  for (const Delivery& update : std::span(updates_).subspan(first_kept_)) {
    if (members.back() != '[') members += ',';
    members += update.bytes.view();
  }
  members += ']';
  if (first_dropped_) {
    members += R"(,"acp-relay/truncated":)" +
               JsonObject().number("from", *first_dropped_).number("to", last_dropped_).take();
  }
  const std::string result = with_meta(frame->result(), members);
  Edits edits;
  edits.push_back({frame->envelope().result, result});
  return splice(frame->bytes(), std::move(edits));
}

}  // namespace relay::frontend
