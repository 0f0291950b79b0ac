// One running container with its streams: what DockerAgent and its background coroutines
// share.
//
// Held by shared_ptr. The stream is read all the time, for an unread one blocks the agent and makes
// the Engine's calls for the container hang; only while more than kMaxReady bytes of lines wait to
// be taken does reading pause. While the container is being stopped it never does: what is beyond
// that bound then is dropped and counted.
#pragma once

#include "backend/agent.hpp"
#include "backend/docker/container_streams.hpp"
#include "backend/docker/docker_context.hpp"
#include "backend/docker/log_frames.hpp"
#include "backend/docker/output_counter.hpp"
#include "backend/stderr_tail.hpp"
#include "protocol/line_splitter.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay {

class StdioCarrier;

// A container's output ends a few milliseconds before the wait call answers; at most this long.
constexpr std::chrono::milliseconds kEndFollows(2'000);

class AttachedContainer {
 public:
  static constexpr std::size_t kMaxReady = 4u << 20;
  static constexpr std::size_t kMaxNotices = 16;

  // kIsLeft: to the next run of the relay, which reads what comes from here on.
  enum class Stage { kRuns, kEnds, kIsLeft };
  enum class Input {
    kTakes,       // whole messages have been written
    kInAMessage,  // one is being written, or its send() was cancelled
    kIsCut,       // it takes nothing any more; send() makes another
  };
  // The kernel killed a process of it for memory.
  enum class Oom { kNone, kIsBeingTold, kHappened };

  // Made with `options_it_has`.
  AttachedContainer(DockerContext& shared_context, const SharedContainerOptions& options_it_has,
                    SessionId session_id, std::string container_id, ContainerStreams streams,
                    engine::ExitWatch exit_watch);
  // Of a container that an earlier run has started.
  AttachedContainer(DockerContext& shared_context, const engine::ContainerFacts& facts,
                    ContainerStreams streams, engine::ExitWatch exit_watch);
  AttachedContainer(const AttachedContainer&) = delete;
  AttachedContainer& operator=(const AttachedContainer&) = delete;

  // Another output of the same container, which goes on behind position(), and another input where
  // there is one among the streams.
  void go_on_with(ContainerStreams streams);
  // Behind all complete lines that were read.
  const OutputPosition& position() const { return counter_.position(); }

  void take(std::string_view bytes);
  void end_output();
  // What has been read since the last call.
  AgentOutput take_output();
  // What is being written to the input fails, and the next piece goes to another one.
  void cut_input();
  void close_streams();
  // The same for good: nothing of the container is read or ended here any more.
  void let_go(Stage as);
  bool is_stopping() const { return stage != Stage::kRuns; }
  // The same, or its agent has ended, or it has.
  bool is_ending() const { return is_stopping() || over.happened() || output_ended.happened(); }
  bool has_output() const { return !lines_.empty() || !notices_.empty() || oversized_ > 0; }
  // It is read in the container's log.
  bool is_logged() const { return is_logged_; }
  bool is_full() const { return ready_bytes_ > kMaxReady; }
  void notice(Error error);
  // The same, of output that can't be read any more.
  void lose_output(Error why);
  std::string stderr_text() const;

  DockerContext& context;
  const SharedContainerOptions options;  // of an earlier run: those of now
  const SessionId session;
  const std::string id;
  const Logger log;
  const std::string log_driver;
  AgentImage image;
  std::shared_ptr<http::Stream> input_stream;
  std::shared_ptr<http::Stream> output_stream;
  engine::ExitWatch watch;

  Wakeup output_ready;
  Wakeup room;
  Event output_ended;
  Event exited;                             // or the Engine no longer tells
  Wakeup watch_changed;                     // something of the following, or exited, or stage
  bool engine_is_away = false;              // it cut the wait call off; the container may run
  std::optional<EgressCarrier> carried_by;  // the agent's connections; empty: it has no way out
  // Of an agent whose connections come by one; empty while there is none. Until `over`: it has
  // ended, or this relay lets go of it.
  std::shared_ptr<StdioCarrier> carrier;
  Event over;
  Event finished;  // stopped, and its container removed or handed to DockerContext::discard
  std::optional<Result<int>> exit_code;
  Oom oom = Oom::kNone;
  LaunchTimes launch_times;  // empty: an earlier run started it
  Stage stage = Stage::kRuns;
  Input input = Input::kTakes;
  bool watch_was_cut = false;     // the wait call, since the output was cut off last
  std::optional<AgentExit> exit;  // known before the container is removed

 private:
  // What both have in common.
  AttachedContainer(DockerContext& shared_context, SharedContainerOptions options_it_has,
                    SessionId session_id, std::string container_id, std::string its_log_driver,
                    engine::ExitWatch exit_watch);

  void take_stdout(std::string_view bytes);
  void log_lines(const StderrLines::Output& output) const;

  LogFrames frames_;
  LineSplitter splitter_;
  OutputCounter counter_;
  bool is_logged_ = false;
  bool may_be_in_a_line_ = false;  // what comes may be the end of a line that was not read
  StderrTail tail_;
  StderrLines stderr_lines_;
  std::vector<std::string> lines_;
  std::size_t ready_bytes_ = 0;
  std::uint64_t oversized_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Error> notices_;
  bool is_incomplete_ = false;
};

// Reads the output until it ends, and goes on in the log when the Engine cuts it off; started once
// for each container.
Task<void> pump_output(std::shared_ptr<AttachedContainer> container);

// Returns early when the container is over.
Task<void> pause_while_it_lasts(AttachedContainer& container, std::chrono::milliseconds pause);

// Asks the Engine, for as long as one that restarts is waited for.
Task<bool> still_runs(AttachedContainer& container);

// Another input in the place of one that was cut off, where the container runs: what has arrived of
// a message ends there as a line of its own. False: the agent takes none. True while the input is
// cut: the Engine went away again.
Task<bool> renew_input(AttachedContainer& container);

// Waits for the end of the container, also over a restart of the Engine; started once for each
// container.
Task<void> watch_exit(std::shared_ptr<AttachedContainer> container);

// The kernel killed a process of the container: tells those who use the agent if it goes on.
Task<void> tell_of_oom(std::shared_ptr<AttachedContainer> container);

// Ends the container as Agent::stop describes, reads why it ended, removes it; started once for
// each container.
Task<void> end_container(std::shared_ptr<AttachedContainer> container,
                         std::chrono::milliseconds grace);

}  // namespace relay
