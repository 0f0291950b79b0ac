#include "bridge/bridge.hpp"

#include "bridge/marks.hpp"
#include "protocol/acp.hpp"
#include "protocol/rpc.hpp"

#include <algorithm>
#include <utility>

namespace relay::bridge {
namespace {

std::size_t bytes_of(const Message& message) {
  return message.bytes.size() + message.editor_id.size();
}

}  // namespace

Bridge::Bridge(std::string prefix, BridgeLimits limits)
    : prefix_(std::move(prefix)), limits_(limits) {}

std::vector<std::string> Bridge::take_lines() { return std::exchange(lines_, {}); }
std::vector<std::string> Bridge::take_notes() { return std::exchange(notes_, {}); }
std::optional<Error> Bridge::take_trouble() { return std::exchange(trouble_, std::nullopt); }

std::string Bridge::fresh_id() { return "\"" + prefix_ + "-" + std::to_string(next_id_++) + "\""; }

// Within so many times the limits.
bool Bridge::has_room(std::size_t bytes, std::size_t times) const {
  return messages_.size() < times * limits_.max_messages &&
         held_bytes_ + bytes <= times * limits_.max_bytes;
}

Bridge::Order Bridge::keep(Message message) {
  const Order order = next_order_++;
  held_bytes_ += bytes_of(message);
  if (message.kind == Message::Kind::kCall) {
    calls_[message.id] = order;
    by_editor_id_[message.editor_id] = message.id;
  }
  messages_.emplace(order, std::move(message));
  waiting_.insert(order);
  return order;
}

void Bridge::erase(Order order) {
  if (messages_.contains(order)) ++settled_;
  forget(order);
}

void Bridge::forget(Order order) {
  const auto found = messages_.find(order);
  if (found == messages_.end()) return;
  const Message& message = found->second;
  held_bytes_ -= bytes_of(message);
  if (message.kind == Message::Kind::kCall) {
    calls_.erase(message.id);
    const auto own = by_editor_id_.find(message.editor_id);
    if (own != by_editor_id_.end() && own->second == message.id) by_editor_id_.erase(own);
  }
  waiting_.erase(order);
  messages_.erase(found);
}

void Bridge::refuse(std::string_view id, const Error& error) {
  lines_.push_back(rpc::error(id, error, rpc::Dialect::kAcp));
}

SessionTrack* Bridge::track_of(const std::string& session) {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Bridge::connected() {
  ++connection_;
  phase_ = Phase::kGreeting;
  knows_marks_ = false;
  if (initialized_ == Initialized::kDone) {
    say(OwnKind::kInitialize, "initialize", initialize_params_, {});
  }
}

void Bridge::say(OwnKind kind, std::string_view method, std::string_view params,
                 std::string session) {
  const std::string id = fresh_id();
  own_calls_[id] = {kind, std::move(session)};
  own_messages_.emplace_back(rpc::request(id, method, params));
}

// The relay has accepted initialize.
void Bridge::greet() {
  if (authenticate_params_.empty()) return go_up();
  phase_ = Phase::kAuthenticating;
  say(OwnKind::kAuthenticate, "authenticate", authenticate_params_, {});
}

void Bridge::go_up() {
  phase_ = Phase::kUp;
  std::set<std::string_view> ending;
  for (const auto& [order, message] : messages_) {
    if (message.call == CallKind::kEnd && message.kind == Message::Kind::kCall) {
      ending.insert(message.session);
    }
  }
  for (auto& [session, track] : sessions_) {
    if (track.state != SessionTrack::State::kDropped) continue;
    if (ending.contains(session)) {
      track.state = SessionTrack::State::kDetached;
    } else {
      resume(session, track);
    }
  }
}

void Bridge::resume(const std::string& session, SessionTrack& track) {
  track.state = SessionTrack::State::kResuming;
  Resumption resumption{session, track.cwd, track.mcp_servers, track.directories, track.last(), {}};
  std::vector<Order> beyond;
  for (const auto& [order, message] : messages_) {
    if (message.kind != Message::Kind::kCall || message.session != session ||
        message.connection == 0 || opens_or_ends(message.call)) {
      continue;
    }
    if (resumption.requests.size() < kMaxAskedRequests) {
      resumption.requests.push_back(message.id);
    } else {
      beyond.push_back(order);
    }
  }
  for (const Order order : beyond) {
    refuse(messages_.at(order).editor_id, unknown_outcome());
    erase(order);
  }
  say(OwnKind::kResume, "session/resume", resume_params(resumption), session);
}

// Whether a message can be sent now. One to a session that could not be resumed tries that again.
bool Bridge::may_go(const Message& message) {
  const bool is_call = message.kind == Message::Kind::kCall;
  if (phase_ == Phase::kGreeting) return is_call && message.call == CallKind::kInitialize;
  if (phase_ != Phase::kUp) return false;
  SessionTrack* track = message.session.empty() ? nullptr : track_of(message.session);
  if (track == nullptr) return true;
  switch (track->state) {
    case SessionTrack::State::kHeardOf:
    case SessionTrack::State::kAttached:
    case SessionTrack::State::kClosed:
      return true;
    case SessionTrack::State::kDropped:
    case SessionTrack::State::kResuming:
      return false;
    case SessionTrack::State::kDetached:
      if (is_call && opens_or_ends(message.call)) return true;
      resume(message.session, *track);
      return false;
  }
  return true;
}

void Bridge::note_sent(Order order, Message& message) {
  const bool is_first = message.connection == 0;
  message.state = Message::State::kSent;
  message.connection = connection_;
  message.number = ++number_;
  if (message.kind != Message::Kind::kCall) {
    if (is_first) unconfirmed_.push_back(order);
  } else if (message.call == CallKind::kLoad) {
    if (SessionTrack* track = heard_of(message.session)) track->begin_load();
  }
}

Batch Bridge::take_messages() {
  Batch batch;
  if (phase_ == Phase::kDown) return batch;
  bool wants_mark = false;
  std::vector<SharedBytes> theirs;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const Order order = *next;
    Message& message = messages_.at(order);
    if (!may_go(message)) {
      ++next;
      continue;
    }
    next = waiting_.erase(next);
    note_sent(order, message);
    wants_mark = wants_mark || message.kind != Message::Kind::kCall;
    theirs.push_back(message.bytes);
  }
  if (wants_mark) batch.mark = number_;
  batch.messages = std::exchange(own_messages_, {});
  batch.messages.insert(batch.messages.end(), theirs.begin(), theirs.end());
  return batch;
}

void Bridge::acknowledged(std::uint64_t mark) { confirm(connection_, mark); }

// What was sent on that connection up to that number has arrived. Calls stay until they are
// answered.
void Bridge::confirm(std::uint64_t connection, std::uint64_t number) {
  std::erase_if(unconfirmed_, [&](Order order) {
    const auto found = messages_.find(order);
    if (found == messages_.end()) return true;
    const Message& message = found->second;
    if (message.connection != connection || message.number > number) return false;
    if (message.kind == Message::Kind::kAnswer) questions_.settle(message.question);
    erase(order);
    return true;
  });
}

void Bridge::dropped(const Drop& drop) {
  if (phase_ == Phase::kDown) return;
  if (drop.too_big) fail_largest();
  phase_ = Phase::kDown;
  own_calls_.clear();
  own_messages_.clear();
  trouble_.reset();
  std::vector<Order> orders;
  for (const auto& [order, message] : messages_) orders.push_back(order);
  for (const Order order : orders) {
    Message& message = messages_.at(order);
    if (message.kind == Message::Kind::kAnswer) {
      forget(order);  // the question has it, and may come again
    } else if (message.state != Message::State::kWaiting) {
      send_again(order, message);
    }
  }
  questions_.drop();
  for (auto& [session, track] : sessions_) track.drop();
}

// A message that was sent on the connection that broke. `unconfirmed_` keeps notifications: a later
// call that turns out to have been received settles them.
void Bridge::send_again(Order order, Message& message) {
  SessionTrack* track = message.session.empty() ? nullptr : track_of(message.session);
  const bool asks = message.kind == Message::Kind::kCall && !may_repeat(message.call);
  // The call may have made it go on: session/resume tells.
  if (asks && track != nullptr && track->state == SessionTrack::State::kClosed) {
    track->state = SessionTrack::State::kAttached;
  }
  const bool resumable = track != nullptr && track->state != SessionTrack::State::kHeardOf &&
                         track->state != SessionTrack::State::kDetached;
  if (asks && !resumable) {
    refuse(message.editor_id, unknown_outcome());
    erase(order);
    return;
  }
  message.state = Message::State::kWaiting;
  waiting_.insert(order);
}

Error Bridge::unknown_outcome() const {
  return make_error(ErrorType::kInternalError,
                    "the connection to the relay broke before the answer came; whether the request "
                    "was carried out is not known")
      .suggest("look whether it was, and send it again if it was not")
      .retryable();
}

// The message that made the relay close the connection would do so each time it is sent again.
void Bridge::fail_largest() {
  Order largest = 0;
  std::size_t bytes = 0;
  for (const auto& [order, message] : messages_) {
    if (message.state != Message::State::kSent || message.bytes.size() <= bytes) continue;
    largest = order;
    bytes = message.bytes.size();
  }
  if (largest == 0) return;
  const Message& message = messages_.at(largest);
  const Error error = make_error(ErrorType::kMessageTooLarge, "the relay refuses messages of " +
                                                                  std::to_string(bytes) + " bytes")
                          .suggest("send less at once")
                          .suggest("raise server.max_message_bytes of the relay");
  switch (message.kind) {
    case Message::Kind::kCall:
      refuse(message.editor_id, error);
      break;
    case Message::Kind::kAnswer:  // the question may come again, and gets this
      if (Question* question = questions_.find(message.question)) {
        question->answer = SharedBytes(rpc::error(question->relay_id, error, rpc::Dialect::kAcp));
      }
      break;
    case Message::Kind::kNotification:
      notes_.push_back("a notification of " + std::to_string(bytes) +
                       " bytes was dropped: it is too big for the relay");
      break;
  }
  erase(largest);
}

void Bridge::give_up(Error reason) {
  phase_ = Phase::kDown;
  for (const auto& [order, message] : messages_) {
    if (message.kind == Message::Kind::kCall) refuse(message.editor_id, reason);
  }
  messages_.clear();
  waiting_.clear();
  unconfirmed_.clear();
  calls_.clear();
  by_editor_id_.clear();
  own_calls_.clear();
  own_messages_.clear();
  questions_.clear();
  held_bytes_ = 0;
  given_up_ = std::move(reason);
}

}  // namespace relay::bridge
