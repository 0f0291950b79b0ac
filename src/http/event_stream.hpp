// Server-sent events (text/event-stream) as values: formatting, and reading in pieces. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::http {

// One event, ended by an empty line. Line breaks in `data` become several data lines.
std::string sse_event(std::string_view data, std::optional<std::int64_t> id = std::nullopt);

// A line that readers skip; keeps proxies from closing a quiet stream.
std::string sse_comment(std::string_view text);

struct SseEvent {
  std::string id;     // of the last id field seen so far; empty when there was none
  std::string event;  // "message" unless the stream names another
  std::string data;
};

// Reads a stream that comes in pieces cut anywhere. An event may have up to `max_event_bytes`.
class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes = 64u << 20) : max_event_bytes_(max_event_bytes) {}

  // The events that `bytes` complete.
  std::vector<SseEvent> feed(std::string_view bytes);

  // True when an event passed the limit; nothing comes out any more.
  bool failed() const { return failed_; }

 private:
  void end_line(std::string_view line, std::vector<SseEvent>& out);
  void end_event(std::vector<SseEvent>& out);

  std::size_t max_event_bytes_;
  std::string line_;  // begun, not ended
  std::string id_, event_, data_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool at_start_ = true;
  bool failed_ = false;
};

}  // namespace relay::http
