// One running container with its attach stream: what DockerAgent and its background coroutines
// share.
//
// Held by shared_ptr. The stream is read all the time, for an unread one blocks the agent and makes
// the Engine's calls for the container hang; only while more than kMaxReady bytes of lines wait to
// be taken does reading pause. While the container is being stopped it never does: what is beyond
// that bound then is dropped and counted.
#pragma once

#include "backend/agent.hpp"
#include "backend/docker/docker_context.hpp"
#include "backend/stderr_tail.hpp"
#include "engine/stream_demuxer.hpp"
#include "protocol/line_splitter.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay {

class AttachedContainer {
 public:
  static constexpr std::size_t kMaxReady = 4u << 20;
  static constexpr std::size_t kMaxNotices = 16;

  AttachedContainer(DockerContext& shared_context, SessionId session_id, std::string container_id,
                    std::unique_ptr<http::Stream> attach_stream, engine::ExitWatch exit_watch);
  AttachedContainer(const AttachedContainer&) = delete;
  AttachedContainer& operator=(const AttachedContainer&) = delete;

  void take(std::string_view bytes);
  void end_output();
  // What has been read since the last call.
  AgentOutput take_output();
  bool has_output() const { return !lines_.empty() || !notices_.empty() || oversized_ > 0; }
  bool is_full() const { return ready_bytes_ > kMaxReady; }
  void notice(Error error);
  std::string stderr_text() const;

  DockerContext& context;
  const SessionId session;
  const std::string id;
  const Logger log;
  const std::unique_ptr<http::Stream> stream;
  engine::ExitWatch watch;

  Wakeup output_ready;
  Wakeup room;
  Event output_ended;
  Event exited;    // or the Engine no longer tells
  Event finished;  // stopped, and its container removed or handed to DockerContext::discard
  std::optional<Result<int>> exit_code;
  bool oom_event = false;
  bool telling_of_oom = false;
  bool stopping = false;
  bool input_broken = false;  // a send() was cancelled in the middle of a message
  AgentExit exit;             // once finished

 private:
  void log_lines(const StderrLines::Output& output) const;

  engine::StreamDemuxer demuxer_;
  LineSplitter splitter_;
  StderrTail tail_;
  StderrLines stderr_lines_;
  std::vector<std::string> lines_;
  std::size_t ready_bytes_ = 0;
  std::uint64_t oversized_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Error> notices_;
};

// Reads the attach stream until it ends; started once for each container.
Task<void> pump_output(std::shared_ptr<AttachedContainer> container);

// Waits for the end of the container; started once for each container.
Task<void> watch_exit(std::shared_ptr<AttachedContainer> container);

// The kernel killed a process of the container: tells those who use the agent if it goes on.
Task<void> tell_of_oom(std::shared_ptr<AttachedContainer> container);

// Ends the container as Agent::stop describes, reads why it ended, removes it; started once for
// each container.
Task<void> end_container(std::shared_ptr<AttachedContainer> container,
                         std::chrono::milliseconds grace);

}  // namespace relay
