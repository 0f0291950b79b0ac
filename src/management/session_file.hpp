// The file format of an exported session: JSON lines. Pure.
//
//   {"type":"session","format":"acp-relay-session","version":1,"id",...,"lastSequence"}  first
//   {"type":"message","sequence",...,"message":{...}}        one a line, numbers ascending
//   {"type":"gap","from","to"}                               numbers that the log did not hold
//
// Every number from 1 to the head's lastSequence is a message or in a gap, which is how a file that
// was cut off is told from a whole one. Numbers left out between two messages are taken for a gap,
// so that a file may be edited. A message that is no JSON stands as a text in `rawMessage` in place
// of `message`. Members that are not known are ignored.
//
// Views.hpp writes the format; this reads it. Errors are invalid_params and name the line.
#pragma once

#include "base/result.hpp"
#include "storage/message_log.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace relay::management {

inline constexpr std::string_view kSessionFormat = "acp-relay-session";
inline constexpr std::int64_t kSessionFormatVersion = 1;

// Of the members around a message: they are small, whatever the message is like.
inline constexpr std::size_t kMaxLineOverhead = 64u << 10;

// Takes the lines of one file in their order. Used once.
class SessionFileReader {
 public:
  using Entry = std::variant<storage::SessionRecord, storage::MessageRecord, storage::Gap>;

  explicit SessionFileReader(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // `line` without its line feed. Nothing for a blank line. After an error the file is given up.
  Result<std::optional<Entry>> take(std::string_view line);

  // After the last line. Fails when there was none or the end is missing.
  Result<void> finish() const;

  // The gap that the entry taken last showed before itself: numbers without a line.
  std::optional<storage::Gap> skipped() const { return skipped_; }

  // Of the line taken last, from 1.
  std::int64_t line_number() const { return line_; }
  std::int64_t messages() const { return messages_; }

 private:
  Error at_line(std::string explanation) const;
  Result<Entry> read(std::string_view line);
  Result<void> advance(storage::Sequence from, storage::Sequence to);

  std::size_t max_line_bytes_;
  std::int64_t line_ = 0;
  std::int64_t messages_ = 0;
  std::optional<storage::Sequence> end_;  // the head's lastSequence
  storage::Sequence reached_ = 0;
  std::optional<storage::Gap> skipped_;
};

// Cuts the first line off `text`, without its line feed and a carriage return before it.
std::string_view take_line(std::string_view& text);

}  // namespace relay::management
