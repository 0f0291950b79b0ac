// The lines of the log on their way to a descriptor, and the thread that writes them.
//
// Whoever logs never waits: a pipe that nobody reads, a stopped terminal or a dead disk holds the
// thread alone. Lines that find no room are dropped and counted, and the count is a line as soon as
// there is room again. Lines of one kind that come too often are left out likewise (LogRepeats).
// The end waits for the last lines, but not longer than kLastLines. Safe to use from any thread.
#pragma once

#include "base/log_repeats.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace relay {

struct LogQueueLimits {
  std::size_t max_lines = 16'384;
  std::size_t max_bytes = 4u << 20;  // waiting and being written
};

class LogQueue {
 public:
  // The line that tells of lines which are missing; `loss.event` is empty when they found no room.
  // Runs in any thread and must not log.
  using Note = std::function<std::string(const LogLoss& loss)>;

  static constexpr std::chrono::milliseconds kLastLines{1000};

  // `descriptor` must stay open for as long as the process lives.
  LogQueue(int descriptor, LogQueueLimits limits, Note note);
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;
  ~LogQueue();

  // Whether a line of this kind is to be written now. Counts it either way.
  bool admit(std::string_view event, std::span<const LogField> fixed);
  // `text` is one line or several, with the last line's end.
  void push(std::string text);

  // Waits until all that was pushed is written; false: not within the limit.
  bool flush(std::chrono::milliseconds limit);

  LogCounts counts() const;

 private:
  struct State;
  static void write_lines(State& state);

  std::shared_ptr<State> state_;  // also the thread's, which may hang in a write for ever
  std::thread thread_;
};

}  // namespace relay
