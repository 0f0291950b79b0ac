// Plays a recording's client against an agent: ACP messages in, ACP messages out. Pure.
//
// initialize, session/new, the steps of the recording, then it is done(). Requests go out one after
// another; what was sent during a turn goes out after as many messages of the agent as then.
#pragma once

#include "cli/replay/answers.hpp"
#include "cli/replay/recording.hpp"
#include "cli/replay/transcript.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

struct PlayerOptions {
  std::string working_directory;
  bool as_recorded = false;  // wait before a step as long as the client had waited
};

class Player {
 public:
  Player(Recording recording, PlayerOptions options);

  // One message of the agent. What is none is left out.
  void take(std::string_view line);
  // Messages to be sent now, in order.
  std::vector<std::string> take_lines();

  // How long to wait, and then call resume(); nothing while it waits for the agent or is done.
  std::optional<std::chrono::milliseconds> pause() const { return pause_; }
  void resume();

  // The agent has ended: what waits for an answer gets none.
  void lost(std::string_view error_type);

  bool done() const { return done_; }
  // When it is done: every step went out and was answered, or the agent ended in the last turn as
  // the recorded one did.
  bool played_all() const { return played_all_; }
  // Whether as much came behind the last answer as in the recording.
  bool heard_all() const;
  // Why there is no session to play in.
  const std::optional<Failure>& failure() const { return failure_; }
  // The session's id at the other side; empty before there is one.
  const std::string& session() const { return session_; }

  const Recording& recording() const { return recording_; }
  const Transcript& transcript() const { return transcript_; }
  TranscriptNames names() const;
  // What could not be done as it was recorded, since the last call.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  struct Pending {
    std::string method;
    std::size_t step;
  };
  static constexpr std::size_t kNoStep = static_cast<std::size_t>(-1);

  void advance();
  bool is_due(const RecordedStep& step);
  bool is_skipped(const RecordedStep& step);
  void play(std::size_t index);
  std::int64_t request(const std::string& method, boost::json::object params, std::size_t step);
  void notify(const std::string& method, boost::json::object params);
  void response(const boost::json::object& message);
  void question(const boost::json::object& message);
  void reply(const boost::json::value& id, boost::json::object member);
  bool cancel_is_due() const;
  bool turn_runs() const;
  bool ended_as_recorded() const;

  Recording recording_;
  PlayerOptions options_;
  RecordedAnswers answers_;
  Transcript transcript_;
  std::string session_;
  std::vector<std::string> lines_;
  std::vector<std::string> notes_;
  std::map<std::int64_t, Pending> pending_;                               // by id
  std::map<std::size_t, std::int64_t> sent_;                              // ids by step
  std::vector<std::pair<boost::json::value, boost::json::object>> held_;  // replies for after it
  std::int64_t next_id_ = 1;
  std::size_t step_ = 0;
  bool waited_ = false;  // the pause before the next step is over
  std::optional<std::chrono::milliseconds> pause_;
  bool done_ = false;
  bool played_all_ = false;
  std::optional<Failure> failure_;
};

}  // namespace relay::cli
