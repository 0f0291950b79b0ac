// The rules of the stdio bridge: an editor on one side, a relay on connections that may break on
// the other. Events go in, lines and messages come out; no I/O.
//
// The editor's requests get ids that are unique over connections, so that an answer can be told
// from one to another client, and the relay's requests get ids of this side's. Everything else is
// carried byte for byte, but for the relay's own sequence numbers, which are taken out again.
//
// After a connection broke: initialize again with the editor's params, authenticate if the editor
// had, session/resume for every session from the last message that the editor has, then what the
// relay has not received, then what the editor sent meanwhile. What was shown to the editor once is
// not shown again. A notification whose arrival is in doubt is sent again. A session that the relay
// closed is not resumed, unless it goes on or the editor has just asked something of it. Messages
// of sub-agents belong to the session that they work for.
//
// Bounds: BridgeLimits for what waits or may have to be sent again, and twice that for
// answers and cancellations; a request beyond it is answered with an error. How large and how deep
// a message may be is the relay's to say. What waits for the editor is the caller's to bound: it
// takes lines as it can write.
#pragma once

#include "base/error.hpp"
#include "bridge/marks.hpp"
#include "bridge/message.hpp"
#include "bridge/questions.hpp"
#include "bridge/session_track.hpp"
#include "protocol/splice.hpp"

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relay::bridge {

struct BridgeLimits {
  std::size_t max_messages = 10'000;   // of the editor, not settled
  std::size_t max_bytes = 256u << 20;  // of them; a larger one can't be sent
};

// What is to be sent on the connection, in order.
struct Batch {
  std::vector<SharedBytes> messages;
  // Not 0: acknowledged() wants to hear when all of this has arrived.
  std::uint64_t mark = 0;
};

// What became of a connection.
struct Drop {
  bool too_big = false;  // the relay closed it because a message was too big
};

class Bridge {
 public:
  // `prefix` is put into every id towards the relay; unguessable and never used again.
  explicit Bridge(std::string prefix, BridgeLimits limits = {});

  // Events.
  void from_editor(std::string line);
  void from_relay(std::string message);
  void connected();
  void dropped(const Drop& drop);
  void acknowledged(std::uint64_t mark);
  // There will be no connection any more: every open request and each one to come is answered with
  // this error.
  void give_up(Error reason);

  // Decisions. Each take... leaves nothing behind.
  std::vector<std::string> take_lines();  // for the editor, without newlines
  Batch take_messages();                  // for the relay; empty while there is no connection
  // Why the present connection is of no use and has to be replaced.
  std::optional<Error> take_trouble();
  // For a person: what was thrown away and why.
  std::vector<std::string> take_notes();

  // There is something to connect for.
  bool wants_connection() const {
    return !given_up_ && (initialized_ != Initialized::kNot || !messages_.empty());
  }
  // Nothing of the editor's waits to be sent or answered.
  bool idle() const { return calls_.empty() && waiting_.empty(); }
  // Grows when something of the editor's is settled, and with every message of a session that the
  // editor did not have. A connection in which it stays as it was has brought nothing: the next may
  // end in the same way.
  std::uint64_t settled() const { return settled_; }
  // The relay has accepted this connection.
  bool greeted() const { return phase_ == Phase::kUp; }

 private:
  enum class Phase {
    kDown,
    kGreeting,        // initialize is to be sent, or was
    kAuthenticating,  // what the editor had authenticated with was sent
    kUp,
  };
  enum class OwnKind { kInitialize, kAuthenticate, kResume };
  struct OwnCall {
    OwnKind kind = OwnKind::kInitialize;
    std::string session;
  };
  using Order = std::uint64_t;

  // From the editor.
  void editor_call(const Frame& frame);
  void editor_notification(const Frame& frame);
  void editor_answer(const Frame& frame);
  void send_answer(std::int64_t number, const Question& question);
  bool has_room(std::size_t bytes, std::size_t times = 1) const;
  bool is_too_big(const SharedBytes& message) const { return message.size() > most_of_message_; }
  Order keep(Message message);
  void refuse(std::string_view id, const Error& error);

  // From the relay.
  void relay_response(const Frame& frame);
  void own_response(const OwnCall& call, const Frame& frame);
  void learn_relay(std::string_view initialize_result);
  void resumed(const std::string& session, const Frame& frame);
  void relay_request(const Frame& frame);
  void relay_notification(const Frame& frame);
  void close_session(const std::string& session);
  void show(const Frame& frame, Edits edits, const std::optional<SequenceMark>& mark);

  // What a call's answer changes.
  void settle_call(const Message& call, const Frame& answer, std::optional<std::int64_t> sequence);
  void learn_session(const Message& call, const std::string& session,
                     std::optional<std::int64_t> sequence);

  // The connection.
  void greet();
  void go_up();
  void say(OwnKind kind, std::string_view method, std::string_view params, std::string session);
  void resume(const std::string& session, SessionTrack& track);
  void expect_echoes(Message& message) const;
  bool is_echo(const Frame& frame, const std::string& session);
  void follow_gap(const Frame& frame, const std::string& session);
  bool may_go(const Message& message);
  void note_sent(Order order, Message& message);
  void send_again(Order order, Message& message);
  void confirm(std::uint64_t connection, std::uint64_t number);
  void fail_session(const std::string& session, std::string_view error_object);
  void fail_rest(std::string_view error_object);
  void fail(Order order, std::string_view error_object);
  void fail_largest();
  void erase(Order order);   // it is settled
  void forget(Order order);  // it is not
  SessionTrack* track_of(const std::string& session);
  SessionTrack* heard_of(const std::string& session);
  std::string fresh_id();
  Error unknown_outcome() const;

  std::string prefix_;
  BridgeLimits limits_;
  Phase phase_ = Phase::kDown;
  std::uint64_t connection_ = 0;  // counts them
  std::uint64_t number_ = 0;      // counts what was sent
  std::uint64_t next_id_ = 1;
  std::uint64_t settled_ = 0;
  // Of the relay that was there last. Refused here, a message does not end the connection.
  std::size_t most_of_message_ = std::numeric_limits<std::size_t>::max();
  Order next_order_ = 1;

  std::map<Order, Message> messages_;  // in the order of the editor
  std::set<Order> waiting_;            // those of them to be sent
  std::deque<Order> unconfirmed_;      // notifications and answers that were sent, in that order
  std::size_t held_bytes_ = 0;
  std::unordered_map<std::string, Order> calls_;               // by the id towards the relay
  std::unordered_map<std::string, std::string> by_editor_id_;  // the editor's id to that one
  std::unordered_map<std::string, OwnCall> own_calls_;
  std::vector<SharedBytes> own_messages_;  // sent before the editor's

  std::map<std::string, SessionTrack> sessions_;  // by the JSON text of the id
  std::deque<std::string> closed_;                // those of them that were closed, the latest last
  Questions questions_;

  enum class Initialized { kNot, kAsked, kDone };
  Initialized initialized_ = Initialized::kNot;
  std::string initialize_params_;
  std::string authenticate_params_;  // of the last authenticate that succeeded
  bool knows_marks_ = false;
  std::optional<Error> given_up_;

  std::vector<std::string> lines_;
  std::vector<std::string> notes_;
  std::optional<Error> trouble_;
};

}  // namespace relay::bridge
