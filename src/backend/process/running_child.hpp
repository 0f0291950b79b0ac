// One child process with its pipes: what ProcessAgent and its background coroutines share.
//
// Held by shared_ptr; the last owner kills what is still there. The process stays unreaped until it
// is over with it (reap()), so that its pid and group id cannot be given to a stranger before the
// group has been killed. Nothing here waits for a process that does not end: it may sleep in the
// kernel for ever. One executor, no locks.
#pragma once

#include "backend/agent.hpp"
#include "backend/process/process_options.hpp"
#include "backend/process/spawn.hpp"
#include "backend/process/unreaped_children.hpp"
#include "backend/stderr_tail.hpp"
#include "base/async.hpp"
#include "base/log.hpp"
#include "protocol/line_splitter.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace relay {

// Filled and emptied without awaiting in between, so one serves all agents of a backend.
using ScratchBuffer = std::array<char, 64 * 1024>;

enum class ReadResult { kSome, kNothing, kEnd };

class RunningChild {
 public:
  RunningChild(const asio::any_io_executor& executor, ChildProcess child,
               std::shared_ptr<const ProcessOptions> options,
               std::shared_ptr<ScratchBuffer> scratch_buffer,
               std::shared_ptr<UnreapedChildren> unreaped, Logger logger);
  RunningChild(const RunningChild&) = delete;
  RunningChild& operator=(const RunningChild&) = delete;
  ~RunningChild();

  // One non-blocking read of stdout into the splitter.
  ReadResult read_output(std::vector<std::string>& lines);
  // Reads stdout as far as it goes and forgets it.
  ReadResult discard_output();
  // Reads stderr as far as it goes into the tail and the log.
  ReadResult read_errors();
  // The last line of stderr, and how many lines the log did not show.
  void finish_errors();
  // Notices that the process has ended, without reaping it.
  void look_for_exit();
  void signal_group(int signal) const;
  // Of a process that has not ended it is left to UnreapedChildren. Never waits.
  void reap();
  bool is_reaped() const { return reaped_; }  // or will be: its pid may be a stranger's
  // Kills the group, reaps, closes everything. Whoever waits on a descriptor is told.
  void abandon();

  std::string stderr_text() const;

  const pid_t pid;
  const std::shared_ptr<const ProcessOptions> options;
  const std::shared_ptr<ScratchBuffer> scratch;
  const Logger log;
  std::shared_ptr<const void> way_out;  // to its upstreams; open as long as this is there

  asio::posix::stream_descriptor pidfd;
  asio::posix::stream_descriptor input;
  asio::posix::stream_descriptor output;
  asio::posix::stream_descriptor errors;
  asio::steady_timer exit_noticed;                   // stop() waits on it
  std::optional<asio::steady_timer> stop_completed;  // never expires; cancelled when stopped

  LineSplitter splitter;
  // A small first read that may wait; the rest of what is there is read into the scratch buffer.
  std::array<char, 1024> first_read{};
  std::optional<AgentExit> exit;  // the process has ended
  std::size_t read_after_exit = 0;
  bool output_ended = false;
  bool input_broken = false;  // a send() was cancelled in the middle of a message
  bool stopping = false;
  bool stopped = false;

 private:
  void log_lines(const StderrLines::Output& output_lines) const;
  void close_all();

  const std::shared_ptr<UnreapedChildren> unreaped_;
  StderrTail tail_;
  StderrLines lines_;
  bool errors_finished_ = false;
  bool reaped_ = false;
};

// Waits for the end of the process; started once for each child.
Task<void> watch_exit(std::shared_ptr<RunningChild> child);

// Reads stderr until it ends; started once for each child.
Task<void> watch_errors(std::shared_ptr<RunningChild> child);

// Ends the process and its group as Agent::stop describes; started once for each child.
Task<void> end_child(std::shared_ptr<RunningChild> child, std::chrono::milliseconds grace);

}  // namespace relay
