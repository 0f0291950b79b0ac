// What an agent said in a session, turn by turn, and how two such accounts differ. Pure.
//
// Two runs of one agent are never the same byte for byte. Left out of the comparison are: ids of
// JSON-RPC and of sessions; times; the spelling of ids (the first one met is the first one met in
// the other, too); the working directory; where text is cut into chunks; what the relay itself
// adds.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

// Whether a notification says something of the agent's: those of the relay do not.
bool is_agents_word(std::string_view method);

// "end_turn", or "error agent_exited", or "error -32601: no such method".
std::string stop_of(const boost::json::object& response);

struct TranscriptEvent {
  enum class Kind { kNotification, kRequest, kResponse };
  Kind kind = Kind::kNotification;
  std::string method;       // of a response: what was answered
  boost::json::value body;  // params, result or error object
};

// Ends with the response to a prompt; the last one may have none.
struct TranscriptTurn {
  std::vector<TranscriptEvent> events;
  std::string stop;  // empty: no prompt's end
};

class Transcript {
 public:
  // `message` as it came. Not for the responses to initialize and session/new.
  void notification(const boost::json::object& message);
  void request(const boost::json::object& message);
  void response(const std::string& method, const boost::json::object& message);

  const std::vector<TranscriptTurn>& turns() const { return turns_; }
  // Notifications and requests since the last prompt's end.
  std::size_t said_in_turn() const { return said_; }

 private:
  void add(TranscriptEvent event);

  std::vector<TranscriptTurn> turns_;
  bool is_open_ = false;  // the last turn goes on
  std::size_t said_ = 0;
};

// What differs between runs by nature.
struct TranscriptNames {
  std::vector<std::string> sessions;
  std::string working_directory;
};

// The events of one turn as JSON, ready to be compared. `ids` grows with the ids that were met.
std::vector<boost::json::value> normalised(const TranscriptTurn& turn, const TranscriptNames& names,
                                           std::vector<std::string>& ids);

// The first difference of a turn.
struct TranscriptDifference {
  std::size_t turn = 0;     // from 1
  std::size_t message = 0;  // from 1, chunks joined
  std::string recorded;     // JSON, or the part around the difference; empty: nothing was there
  std::string replayed;
};

std::vector<TranscriptDifference> differences(const Transcript& recorded,
                                              const TranscriptNames& recorded_names,
                                              const Transcript& replayed,
                                              const TranscriptNames& replayed_names);

}  // namespace relay::cli
