// An exported session as something to be played: what the client did, in order, what it answered,
// and what the agent said. Pure.
//
// A cancellation that is not in the log (the relay's own, of a time limit or a closed session;
// `$/cancel_request`; one over HTTP in exports of earlier relays) is inferred from a turn that
// ended as cancelled. Requests that concern the relay and not the agent (list, resume, close, ...)
// are left out, and so are loads of the session: its agent stays the same one here.
#pragma once

#include "cli/failure.hpp"
#include "cli/replay/transcript.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

struct RecordedStep {
  std::string method;
  boost::json::object params;  // without sessionId
  bool is_request = true;
  // Sent while a turn runs, after so many messages of the agent in it. Otherwise the step waits
  // until everything before it is answered.
  bool in_turn = false;
  std::size_t after = 0;
  std::optional<std::size_t> cancels;  // the step whose request `$/cancel_request` is about
  std::chrono::milliseconds pause{0};  // between the message before it and this one
};

// A request of the agent and what it got.
struct RecordedQuestion {
  std::string method;
  boost::json::object params;
  boost::json::object answer;  // {"result":...} or {"error":...}; empty: none was recorded
  bool at_cancel = false;      // the relay answered, for the turn was cancelled
};

struct Recording {
  TranscriptNames names;
  boost::json::array mcp_servers;
  std::vector<RecordedStep> steps;
  std::vector<RecordedQuestion> questions;
  Transcript transcript;
  bool has_gaps = false;
};

// Reads the text of an export. Fails as an import of it would.
Outcome<Recording> read_recording(std::string_view text);

}  // namespace relay::cli
