// What the editor has sent and the relay has not settled: calls, notifications and answers.
#pragma once

#include "protocol/frame.hpp"
#include "protocol/shared_bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::bridge {

// Requests of the editor, by what becomes of one whose answer was lost with the connection.
enum class CallKind {
  kInitialize,    // is sent first on every connection
  kAuthenticate,  // sent again; said again on every connection
  kLogout,        // sent again
  kNew,           // session/new, session/fork: sent again; makes a session
  kLoad,          // sent again: opens a session
  kResume,        // sent again: opens a session
  kEnd,           // session/close, session/delete: sent again
  kQuery,         // session/list: sent again
  kOther,         // the session says whether it has it; without a session it fails
};

CallKind call_kind(std::string_view method);

// Calls that need no session/resume before them although they name a session.
constexpr bool opens_or_ends(CallKind kind) {
  return kind == CallKind::kNew || kind == CallKind::kLoad || kind == CallKind::kResume ||
         kind == CallKind::kEnd;
}

// May be sent again without asking whether it had arrived.
constexpr bool may_repeat(CallKind kind) { return kind != CallKind::kOther; }

// The session a message belongs to, as JSON text: a sub-agent's messages are in the stream of the
// session that it works for, with its numbers. Empty: of the connection.
std::string session_of(const Frame& frame);
// The same for a call. A sub-agent's session cannot be opened or ended, which the relay says; such
// a call is about no session that there is.
std::string session_of(const Frame& call, CallKind kind);

struct Message {
  enum class Kind { kCall, kNotification, kAnswer };
  enum class State {
    kWaiting,   // to be sent
    kSent,      // on the present connection
    kReceived,  // a call that the session has had on an earlier connection
  };

  Kind kind = Kind::kNotification;
  State state = State::kWaiting;
  std::string session;  // session_of()
  SharedBytes bytes;    // as it is sent
  // When it was sent last; connection 0: never.
  std::uint64_t connection = 0;
  std::uint64_t number = 0;

  // Of a call.
  CallKind call = CallKind::kOther;
  std::string id;         // JSON text, towards the relay
  std::string editor_id;  // JSON text, the editor's own
  // Content blocks of a prompt that the relay repeats to this connection, which has not sent it:
  // views of `bytes`.
  std::vector<std::string_view> echoes;
  // Of an answer: the number by which the editor knows the question.
  std::int64_t question = 0;
};

}  // namespace relay::bridge
