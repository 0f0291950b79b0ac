// Finds in a container's log the place up to which an earlier run of the relay had read. Pure; the
// log comes as stdout's bytes in pieces of any size.
#pragma once

#include "backend/docker/output_counter.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay {

// A place in a log, counted from its present beginning as OutputPosition counts.
struct LogPlace {
  std::uint64_t bytes = 0;
  // Fingerprints that the log must have when this is the place: of its first line, and of the last
  // one in front of the place. Not looked at when `bytes` is 0.
  std::uint64_t first_line = 0;
  std::uint64_t last_line = 0;
};

// Goes through a log from its beginning up to a place in it.
class LogSkip {
 public:
  enum class State { kBefore, kReached, kOtherLog };

  explicit LogSkip(LogPlace place);

  // What of `bytes` lies behind the place.
  std::string_view take(std::string_view bytes);
  State state() const { return state_; }

 private:
  void finish();

  LogPlace place_;
  State state_;
  OutputCounter counter_;
  std::uint64_t left_;  // counted bytes to come
};

// Looks in a whole log for the last line that was read.
class LogSearch {
 public:
  explicit LogSearch(std::uint64_t last_line) : last_line_(last_line) {}

  void take(std::string_view bytes);

  // Behind the last line that looks like it. Empty: no line does.
  const std::optional<LogPlace>& place() const { return place_; }
  // The fingerprint of the log's first line; 0: it has none.
  std::uint64_t first_line() const { return counter_.position().first_line; }

 private:
  std::uint64_t last_line_;
  OutputCounter counter_;
  std::optional<LogPlace> place_;
};

}  // namespace relay
