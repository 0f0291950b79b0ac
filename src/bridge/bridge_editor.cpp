// What the editor says.
#include "bridge/bridge.hpp"
#include "bridge/marks.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/rpc.hpp"
#include "protocol/splice.hpp"

#include <charconv>

namespace relay::bridge {
namespace {

// Answers and cancellations get in up to so many times the limits.
constexpr std::size_t kMostWaiting = 2;

Error too_much(std::size_t messages, std::size_t bytes) {
  return make_error(ErrorType::kInternalError,
                    "too much waits for the relay: " + std::to_string(messages) + " messages, " +
                        std::to_string(bytes) + " bytes")
      .because("the relay cannot be reached, or does not answer")
      .suggest("wait for answers before sending more")
      .retryable();
}

Error too_big(std::size_t bytes, std::size_t most) {
  return make_error(ErrorType::kMessageTooLarge, "the message has " + std::to_string(bytes) +
                                                     " bytes, and the relay takes " +
                                                     std::to_string(most))
      .suggest("send less at once")
      .suggest("raise server.max_message_bytes of the relay");
}

Error not_initialized() {
  return make_error(ErrorType::kInvalidRequest, "the first message must be initialize")
      .suggest("send initialize, then the rest");
}

std::optional<std::int64_t> question_number(std::string_view id) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (failure != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return number;
}

}  // namespace

void Bridge::from_editor(std::string line) {
  const auto frame = Frame::parse(std::move(line), kAccepted);
  if (!frame) return refuse(frame.error().id, rpc::to_error(frame.error()));
  switch (frame->kind()) {
    case FrameKind::kRequest:
      return editor_call(*frame);
    case FrameKind::kNotification:
      return editor_notification(*frame);
    case FrameKind::kResult:
    case FrameKind::kError:
      return editor_answer(*frame);
  }
}

void Bridge::editor_call(const Frame& frame) {
  if (given_up_) return refuse(frame.id(), *given_up_);
  CallKind kind = call_kind(frame.method());
  if (kind == CallKind::kInitialize && initialized_ != Initialized::kNot) kind = CallKind::kOther;
  if (kind != CallKind::kInitialize && initialized_ == Initialized::kNot) {
    return refuse(frame.id(), not_initialized());
  }
  if (!has_room(frame.bytes().size())) {
    return refuse(frame.id(), too_much(messages_.size(), held_bytes_));
  }

  Message message;
  message.kind = Message::Kind::kCall;
  message.call = kind;
  message.session = session_of(frame, kind);
  message.id = fresh_id();
  message.editor_id = frame.id();
  if (kind == CallKind::kInitialize) {
    initialized_ = Initialized::kAsked;
    initialize_params_ = asking_for_sequence(frame.params());
    if (frame.envelope().params.present()) {
      message.bytes =
          SharedBytes(splice(frame.bytes(), {{frame.envelope().id, message.id},
                                             {frame.envelope().params, initialize_params_}}));
    } else {
      message.bytes = SharedBytes(rpc::request(message.id, "initialize", initialize_params_));
    }
  } else {
    message.bytes = SharedBytes(splice(frame.bytes(), {{frame.envelope().id, message.id}}));
  }
  if (is_too_big(message.bytes)) {
    return refuse(frame.id(), too_big(message.bytes.size(), most_of_message_));
  }
  keep(std::move(message));
}

void Bridge::editor_notification(const Frame& frame) {
  if (given_up_ || initialized_ == Initialized::kNot) return;
  Message message;
  message.kind = Message::Kind::kNotification;
  message.session = session_of(frame);
  Edits edits;
  if (frame.method() == acp::kCancelRequest) {
    const auto call = by_editor_id_.find(std::string(frame.request_id()));
    if (call == by_editor_id_.end()) return;  // answered in the meantime
    edits.push_back({frame.envelope().request_id, call->second});
    // It must not overtake the request.
    if (message.session.empty()) message.session = messages_.at(calls_.at(call->second)).session;
  }
  message.bytes = SharedBytes(splice(frame.bytes(), edits));
  // Cancellations get in when requests do not any more.
  const bool is_cancel = frame.method() == acp::kCancel || frame.method() == acp::kCancelRequest;
  if (is_too_big(message.bytes) || !has_room(message.bytes.size(), is_cancel ? kMostWaiting : 1)) {
    notes_.push_back("a notification was dropped: it is too big, or too much waits for the relay");
    return;
  }
  keep(std::move(message));
}

void Bridge::editor_answer(const Frame& frame) {
  const auto number = question_number(frame.id());
  Question* question = number ? questions_.find(*number) : nullptr;
  if (given_up_ || question == nullptr || !question->answer.empty()) return;
  if (questions_.held_bytes() + frame.bytes().size() > kMostWaiting * limits_.max_bytes) {
    notes_.push_back("an answer was dropped: too much waits for the relay");
    return;
  }
  question->answer =
      SharedBytes(splice(frame.bytes(), {{frame.envelope().id, question->relay_id}}));
  if (is_too_big(question->answer)) {
    const Error error = too_big(question->answer.size(), most_of_message_);
    question->answer = SharedBytes(rpc::error(question->relay_id, error, rpc::Dialect::kAcp));
  }
  if (question->awaited) send_answer(*number, *question);
}

void Bridge::send_answer(std::int64_t number, const Question& question) {
  Message message;
  message.kind = Message::Kind::kAnswer;
  message.session = question.session;
  message.bytes = question.answer;
  message.question = number;
  keep(std::move(message));
}

}  // namespace relay::bridge
