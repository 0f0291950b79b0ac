// What the relay says.
#include "bridge/bridge.hpp"
#include "bridge/marks.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/rpc.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

namespace relay::bridge {
namespace {

// Sessions of which something is remembered; a relay has fewer.
constexpr std::size_t kMaxSessions = 10'000;
// Of them, those that were closed last.
constexpr std::size_t kMaxClosed = 100;

// As they are spelled.
constexpr std::string_view kRelayShutdown = "\"relay_shutdown\"";
constexpr std::string_view kUserMessage = "\"user_message_chunk\"";

std::string_view member(std::string_view object, std::string_view key) {
  return object_member(object, key).value_or(std::string_view());
}

Edits cut_of(const std::optional<SequenceMark>& mark) {
  Edits edits;
  if (mark && mark->cut.present()) edits.push_back({mark->cut, {}});
  return edits;
}

// What a request asks, whatever number it has in the log.
std::size_t digest_of(const Frame& frame, const std::optional<SequenceMark>& mark) {
  Edits edits = cut_of(mark);
  if (!edits.empty()) edits.front().where.offset -= frame.envelope().params.offset;
  return std::hash<std::string>()(std::string(frame.method()) + '\n' +
                                  splice(frame.params(), edits));
}

}  // namespace

void Bridge::from_relay(std::string message) {
  const auto frame = Frame::parse(std::move(message), kAccepted);
  if (!frame) {
    notes_.push_back("a message of the relay was dropped: " + frame.error().explanation);
    return;
  }
  switch (frame->kind()) {
    case FrameKind::kRequest:
      return relay_request(*frame);
    case FrameKind::kNotification:
      return relay_notification(*frame);
    case FrameKind::kResult:
    case FrameKind::kError:
      return relay_response(*frame);
  }
}

void Bridge::relay_response(const Frame& frame) {
  const std::string id(frame.id());
  if (const auto own = own_calls_.find(id); own != own_calls_.end()) {
    const OwnCall call = own->second;
    own_calls_.erase(own);
    return own_response(call, frame);
  }
  const auto known = calls_.find(id);
  if (known == calls_.end()) return;  // another client's, or one that was answered here
  const Order order = known->second;
  const Message call = messages_.at(order);
  const auto mark = find_sequence(frame);
  erase(order);
  confirm(call.connection, call.number);
  settle_call(call, frame, mark ? std::optional(mark->number) : std::nullopt);
  Edits edits = cut_of(mark);
  edits.push_back({frame.envelope().id, call.editor_id});
  lines_.push_back(splice(frame.bytes(), std::move(edits)));
  if (initialized_ == Initialized::kNot) fail_rest(frame.result());
}

// The relay has refused initialize, and what was said behind it would wait for ever.
void Bridge::fail_rest(std::string_view error_object) {
  std::vector<Order> orders;
  for (const auto& [order, message] : messages_) orders.push_back(order);
  for (const Order order : orders) fail(order, error_object);
}

// Answers it with an error of the relay when it is a call. It is not sent.
void Bridge::fail(Order order, std::string_view error_object) {
  const Message& message = messages_.at(order);
  if (message.kind == Message::Kind::kCall) {
    lines_.push_back(R"({"jsonrpc":"2.0","id":)" + message.editor_id + R"(,"error":)" +
                     std::string(error_object) + "}");
  }
  erase(order);
}

void Bridge::settle_call(const Message& call, const Frame& answer,
                         std::optional<std::int64_t> sequence) {
  const bool is_good = answer.kind() == FrameKind::kResult;
  SessionTrack* track = call.session.empty() ? nullptr : track_of(call.session);
  if (call.call == CallKind::kLoad && track != nullptr) track->end_load();
  if (!is_good) {
    if (call.call == CallKind::kInitialize) initialized_ = Initialized::kNot;
    return;
  }
  switch (call.call) {
    case CallKind::kInitialize:
      initialized_ = Initialized::kDone;
      learn_relay(answer.result());
      return greet();
    case CallKind::kAuthenticate: {
      const auto frame = Frame::parse(std::string(call.bytes.view()), kAccepted);
      if (frame) authenticate_params_ = frame->params();
      return;
    }
    case CallKind::kLogout:
      authenticate_params_.clear();
      return;
    case CallKind::kNew:
      if (const auto made = member(answer.result(), "sessionId"); made.starts_with('"')) {
        learn_session(call, std::string(made), sequence.value_or(0));
      }
      break;
    case CallKind::kLoad:
      // Without a replay there was nothing to replay.
      return learn_session(call, call.session, sequence.value_or(0));
    case CallKind::kResume:
      return learn_session(call, call.session, sequence);
    case CallKind::kEnd:
      sessions_.erase(call.session);
      questions_.forget_session(call.session);
      return;
    case CallKind::kQuery:
    case CallKind::kOther:
      break;
  }
  if (call.call != CallKind::kNew && track != nullptr && sequence) {
    track->take(MessageKind::kResponse, *sequence);
  }
}

void Bridge::learn_session(const Message& call, const std::string& session,
                           std::optional<std::int64_t> sequence) {
  SessionTrack* track = heard_of(session);
  if (track == nullptr) return;
  track->attach(sequence);
  const auto frame = Frame::parse(std::string(call.bytes.view()), kAccepted);
  if (!frame) return;
  track->cwd = member(frame->params(), "cwd");
  track->mcp_servers = member(frame->params(), "mcpServers");
  track->directories = member(frame->params(), "additionalDirectories");
}

// What is known of a session, from its first message on.
SessionTrack* Bridge::heard_of(const std::string& session) {
  if (session.empty()) return nullptr;
  if (SessionTrack* track = track_of(session)) return track;
  if (sessions_.size() >= kMaxSessions) return nullptr;
  return &sessions_[session];
}

void Bridge::own_response(const OwnCall& call, const Frame& frame) {
  const bool is_good = frame.kind() == FrameKind::kResult;
  switch (call.kind) {
    case OwnKind::kInitialize:
      if (is_good) {
        learn_relay(frame.result());
        return greet();
      }
      trouble_ = make_error(ErrorType::kInternalError,
                            "the relay refuses to go on: " + std::string(frame.result()));
      return;
    case OwnKind::kAuthenticate:
      if (!is_good) authenticate_params_.clear();
      return go_up();
    case OwnKind::kResume:
      return resumed(call.session, frame);
  }
}

void Bridge::learn_relay(std::string_view initialize_result) {
  knows_marks_ = knows_marks(initialize_result);
  most_of_message_ =
      most_of_message(initialize_result).value_or(std::numeric_limits<std::size_t>::max());
}

void Bridge::resumed(const std::string& session, const Frame& frame) {
  SessionTrack* track = track_of(session);
  if (track == nullptr) return;
  if (frame.kind() == FrameKind::kError) {
    track->state = SessionTrack::State::kDetached;
    return fail_session(session, frame.result());
  }
  track->state = SessionTrack::State::kAttached;
  if (!agent_remembers(frame.result())) {
    notes_.push_back("the agent of session " + session +
                     " was started again and remembers nothing of what was said");
  }
  for (const std::string& id : lost_requests(frame.result())) {
    const auto call = calls_.find(id);
    if (call == calls_.end() || messages_.at(call->second).session != session) continue;
    refuse(messages_.at(call->second).editor_id,
           make_error(ErrorType::kRelayRestarted,
                      "the relay was started again while it worked on this")
               .suggest("look how far it came, and send the request again")
               .retryable());
    erase(call->second);
  }
  const auto received = received_requests(frame.result());
  std::vector<Order> doubtful;
  for (const auto& [order, message] : messages_) {
    if (message.kind == Message::Kind::kCall && message.session == session &&
        message.connection != 0 && message.state == Message::State::kWaiting &&
        !may_repeat(message.call)) {
      doubtful.push_back(order);
    }
  }
  for (const Order order : doubtful) {
    Message& message = messages_.at(order);
    if (received && std::ranges::find(*received, message.id) != received->end()) {
      message.state = Message::State::kReceived;
      waiting_.erase(order);
      expect_echoes(message);
      // And so was everything that had been sent before it.
      confirm(message.connection, message.number);
    } else if (!received && !knows_marks_) {
      refuse(message.editor_id, unknown_outcome());
      erase(order);
    }
  }
}

// The session cannot be resumed: the relay's reason answers everything that was asked of it.
void Bridge::fail_session(const std::string& session, std::string_view error_object) {
  std::vector<Order> orders;
  for (const auto& [order, message] : messages_) {
    const bool is_call = message.kind == Message::Kind::kCall;
    if (message.session == session && !(is_call && opens_or_ends(message.call))) {
      orders.push_back(order);
    }
  }
  for (const Order order : orders) fail(order, error_object);
  questions_.forget_session(session);
}

void Bridge::relay_request(const Frame& frame) {
  const auto mark = find_sequence(frame);
  const std::string session = session_of(frame);
  if (SessionTrack* track = mark ? heard_of(session) : nullptr) {
    track->take(MessageKind::kRequest, mark->number);
  }
  const auto number = mark ? std::optional(mark->number) : std::nullopt;
  const Questions::Shown shown = questions_.show(frame, number, digest_of(frame, mark));
  if (shown.again) {
    const Question& question = *questions_.find(shown.number);
    if (!question.answer.empty()) send_answer(shown.number, question);
    return;
  }
  if (mark || !knows_marks_) ++settled_;
  const std::string id = std::to_string(shown.number);
  Edits edits;
  edits.push_back({frame.envelope().id, id});
  show(frame, std::move(edits), mark);
}

void Bridge::relay_notification(const Frame& frame) {
  const auto mark = find_sequence(frame);
  const std::string session = session_of(frame);
  if (SessionTrack* track = mark ? heard_of(session) : nullptr) {
    if (!track->take(MessageKind::kNotification, mark->number)) return;
    ++settled_;
    if (!track->is_loading() && is_echo(frame, session)) return;
  }
  if (!knows_marks_) ++settled_;
  if (frame.method() == acp::kGap) follow_gap(frame, session);
  std::string id;
  Edits edits;
  if (frame.method() == acp::kCancelRequest) {
    const auto number = questions_.number_of(frame.request_id());
    if (!number) return;  // it was answered
    questions_.withdraw(*number);
    id = std::to_string(*number);
    edits.push_back({frame.envelope().request_id, id});
  }
  if (frame.method() == acp::kSessionClosed && member(frame.params(), "cause") != kRelayShutdown) {
    close_session(session);
  }
  show(frame, std::move(edits), mark);
}

// The relay may start another agent for it: then it is resumed as before.
void Bridge::close_session(const std::string& session) {
  questions_.forget_session(session);
  SessionTrack* track = track_of(session);
  if (track == nullptr) return;
  track->close();
  std::erase(closed_, session);
  closed_.push_back(session);
  if (closed_.size() <= kMaxClosed) return;
  track = track_of(closed_.front());
  if (track != nullptr && (track->state == SessionTrack::State::kClosed ||
                           track->state == SessionTrack::State::kHeardOf)) {
    sessions_.erase(closed_.front());
  }
  closed_.pop_front();
}

// The relay repeats prompts to those who have not sent them, which after a reconnect is this side.
void Bridge::expect_echoes(Message& message) const {
  if (!message.echoes.empty()) return;
  const auto frame = Frame::parse(std::string(message.bytes.view()), kAccepted);
  if (!frame || frame->method() != acp::kPrompt) return;
  const Span prompt = frame->envelope().prompt;
  message.echoes = array_elements(message.bytes.view().substr(prompt.offset, prompt.size));
}

bool Bridge::is_echo(const Frame& frame, const std::string& session) {
  if (frame.method() != acp::kUpdate) return false;
  // What a sub-agent is told may read the same, and is no echo.
  if (frame.text(frame.envelope().session_id) != session) return false;
  for (auto& [order, message] : messages_) {
    if (message.echoes.empty() || message.session != session) continue;
    const std::string_view update = member(frame.params(), "update");
    if (member(update, "sessionUpdate") != kUserMessage) return false;
    if (member(update, "content") != message.echoes.front()) continue;
    message.echoes.erase(message.echoes.begin());
    return true;
  }
  return false;
}

// A relay that was killed may have lost what it had sent last. It says so, and counts on from
// there.
void Bridge::follow_gap(const Frame& frame, const std::string& session) {
  SessionTrack* track = track_of(session);
  const std::string_view text = member(frame.params(), "from");
  std::int64_t from = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), from);
  if (track != nullptr && failure == std::errc()) track->rewind(from);
}

// Gives the editor a message with these changes; the id of one of its own requests in the params
// becomes the editor's.
void Bridge::show(const Frame& frame, Edits edits, const std::optional<SequenceMark>& mark) {
  if (mark && mark->cut.present()) edits.push_back({mark->cut, {}});
  if (frame.method() != acp::kCancelRequest && frame.envelope().request_id.present()) {
    const auto call = calls_.find(std::string(frame.request_id()));
    if (call != calls_.end()) {
      edits.push_back({frame.envelope().request_id, messages_.at(call->second).editor_id});
    }
  }
  lines_.push_back(splice(frame.bytes(), std::move(edits)));
}

}  // namespace relay::bridge
