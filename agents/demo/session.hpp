// One conversation of the demo agent, and how it looks in JSON.
//
// The history is bounded: the oldest entries go first.
#pragma once

#include "command.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace demo {

using Clock = std::chrono::steady_clock;

// A prompt that is being worked on.
struct Turn {
  std::string request_id;  // raw, as the client wrote it
  Verb verb = Verb::kEcho;
  std::uint64_t sent = 0;             // chunks so far
  std::uint64_t total = 0;            // chunks to send
  std::uint64_t size = 0;             // bytes of text in each
  std::string line_begin;             // of every chunk, up to its text
  Clock::time_point due{};            // when a sleep ends
  std::uint64_t awaited_request = 0;  // the request to the client that is open; 0: none
  std::string answer;                 // what was said, for the history
};

struct HistoryEntry {
  bool from_user = false;
  std::string text;
};

struct Session {
  std::string id;
  std::string cwd;
  bool is_open = true;
  std::string mode = "ask";
  std::string style = "plain";
  bool shows_thoughts = false;
  bool has_helper = false;  // its sub-agent was announced
  std::string title;
  std::string updated_at;
  std::deque<HistoryEntry> history;
  std::size_t history_bytes = 0;
  std::optional<Turn> turn;

  void remember(bool from_user, std::string text);
  void touch();
};

std::string make_session_id();

bool is_known_mode(std::string_view mode);

boost::json::object modes_json(const Session& session);

// Boolean options only for clients that know them.
boost::json::array config_options_json(const Session& session, bool with_booleans);

boost::json::object session_info_json(const Session& session);

}  // namespace demo
