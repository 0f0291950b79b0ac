// How far the editor has seen one session's stream, and whether the relay sends it on the present
// connection.
//
// Pure. Sequence numbers grow along a stream, which is also that of the session's sub-agents; only
// session/load goes through them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace relay::bridge {

enum class MessageKind { kRequest, kNotification, kResponse };

class SessionTrack {
 public:
  enum class State {
    kHeardOf,   // messages of it came, but the editor has neither made nor opened it
    kAttached,  // the relay sends its stream
    kDropped,   // the connection broke; to be resumed
    kResuming,  // session/resume was sent
    kDetached,  // it could not be resumed; the editor's next message to it tries again
    kClosed,    // the relay ended it; the editor's next prompt may make it go on
  };

  State state = State::kHeardOf;
  // What it was made or opened with: JSON texts.
  std::string cwd, mcp_servers, directories;

  // The session is the editor's, as of sequence number `at` when it is known.
  void attach(std::optional<std::int64_t> at);
  // The relay ended it: it is not to be resumed, unless it goes on.
  void close();
  // Notes a message; false: the editor has it already. A new one shows that the session goes on.
  bool take(MessageKind kind, std::int64_t number);

  // A session/load is sent; it was answered.
  void begin_load();
  void end_load();
  bool is_loading() const { return loads_ > 0; }
  // The relay has lost what it had sent from this number on: its numbers begin there again.
  void rewind(std::int64_t number);
  // The connection is gone. A load that had begun to replay goes on when it is sent again.
  void drop();

  // The relay is to replay what comes after it; nothing: not known, it must not replay.
  std::optional<std::int64_t> last() const { return last_; }

 private:
  std::optional<std::int64_t> last_;
  std::size_t loads_ = 0;  // that run and replay from the beginning
  bool replaying_ = false;
  bool goes_on_ = false;  // a load that was cut: what the editor has of it is not replayed to it
  std::int64_t before_load_ = 0;
};

}  // namespace relay::bridge
