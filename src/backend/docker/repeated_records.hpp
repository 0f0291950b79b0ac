// Finds records of a container's log that come a second time. Pure.
//
// Who follows a log while the Engine rotates it now and then gets once more what the new file
// begins with. Records are told apart by their times, which grow from one to the next; parts of one
// record have the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace relay {

// Nanoseconds, in a count of our own that grows with time, of "2006-01-02T15:04:05.000000000Z".
std::optional<std::int64_t> record_time(std::string_view text);

class RepeatedRecords {
 public:
  // A file of a log of this size holds fewer; what lies further back is not recognised.
  static constexpr std::size_t kRemembered = 1u << 17;

  // Of one stream of the container, in the order in which its records come.
  bool is_repeated(std::int64_t time);

 private:
  std::deque<std::int64_t> times_;  // growing
  bool repeating_ = false;
};

}  // namespace relay
