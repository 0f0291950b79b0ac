// The streams of a container, attached before its start, or opened for a relay that goes on with
// it.
//
// Then its output comes from the container's log, followed: only there is what it wrote while
// nobody read. Where the log can't be read (driver `none`), or is not what was read before, the
// output that is live from now on stands in for it. A log that the Engine rotates while the relay
// reads too slowly loses what is rotated away, which nobody tells; what a rotation repeats is left
// out.
#pragma once

#include "backend/docker/docker_context.hpp"
#include "backend/docker/log_frames.hpp"
#include "backend/stderr_tail.hpp"
#include "protocol/output_position.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace relay {

struct ContainerStreams {
  std::shared_ptr<http::Stream> input;
  std::shared_ptr<http::Stream> output;  // frames
  LogFrames frames;                      // of what comes from `output`
  std::string stdout_ahead;              // behind the place, and read already
  std::string stderr_before;             // the last of what came before it
  OutputPosition position;               // where the output goes on
  bool is_log = false;                   // `output`; otherwise it is attached
  bool lost = false;                     // there may be output that can't be read any more
  bool may_begin_in_a_line = false;      // the output
};

// Of a container that has not started: nothing of its output is missed.
Task<Result<ContainerStreams>> attach_streams(DockerContext& context, std::string id);

// Without input: the output of a container that runs, behind the place. `log_driver` is what the
// Engine calls the container's. A log that is followed and is silent for `silence` is read whole to
// see whether it has the place at all. Fails as the Engine's calls do.
Task<Result<ContainerStreams>> open_output(
    DockerContext& context, std::string id, std::string log_driver, OutputPosition position,
    std::chrono::milliseconds silence = std::chrono::seconds(3));
// The same without its log: what is live from now on.
Task<Result<ContainerStreams>> open_live_output(DockerContext& context, std::string id,
                                                OutputPosition position);

// The stdin of a container that runs. Ends what may be half a message there.
Task<Result<std::shared_ptr<http::Stream>>> open_input(DockerContext& context, std::string id);

// What a container has said on stderr last, as far as its log can be read.
Task<std::string> logged_errors(DockerContext& context, std::string id);

}  // namespace relay
