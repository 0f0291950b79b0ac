// A running agent, as a session sees it: three verbs and no idea whether it is a process or a
// container.
#pragma once

#include "backend/agent_usage.hpp"
#include "base/async.hpp"
#include "base/error.hpp"
#include "base/result.hpp"
#include "protocol/output_position.hpp"
#include "protocol/shared_bytes.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace relay {

// Why and how an agent ended.
struct AgentExit {
  std::optional<int> exit_code;  // set when it exited by itself
  std::optional<int> signal;     // set when a signal ended it
  bool oom_killed = false;
  std::string stderr_tail;  // the last lines, at most 64 KiB
  // What the backend knows better than exit codes say it: a limit, a vanished container.
  std::optional<Error> cause;
};

// All that arrived in one read of the agent's output.
struct AgentOutput {
  std::vector<std::string> lines;     // complete lines without their newline; each has kLineSlack
                                      // spare bytes of capacity after its end, for the JSON parser
  std::uint64_t oversized_lines = 0;  // lines over the limit, dropped and counted
  // What happened to the agent while it goes on, for those who use it: a child that was killed.
  std::vector<Error> notices;
  // A part of its output in front of this may never come; one of the notices says why.
  bool is_incomplete = false;
  // Behind everything in this output. Zero where no later relay can go on with the agent.
  OutputPosition position;
};

// How long each part of a start took; empty: this kind of agent has no such part.
struct LaunchTimes {
  using Duration = std::chrono::steady_clock::duration;
  std::optional<Duration> create, attach, start;
};

// Spare capacity after every line: at least SIMDJSON_PADDING.
inline constexpr std::size_t kLineSlack = 64;

// What its container was made from: the name as configured, and the id ("sha256:...") that the
// Engine says the container has. Both empty for a process; the id also when nobody can tell.
struct AgentImage {
  std::string name;
  std::string id;
};

// Resource: made by AgentBackend::launch, owned by its session, ended by stop() before destruction.
// At most one receive() and one send() may be waiting at a time; both may wait while stop() runs.
class Agent {
 public:
  virtual ~Agent() = default;

  // Writes the messages, each followed by a newline, in as few system calls as possible. Waits
  // while the agent does not read. Fails when the agent no longer accepts input.
  virtual Task<Result<void>> send(std::span<const SharedBytes> messages) = 0;

  // The next lines, waiting for at least one. Empty: stdout has ended and everything was delivered.
  virtual Task<std::optional<AgentOutput>> receive() = 0;

  // Ends the agent and everything it started: closes stdin, waits `grace`, terminates, waits
  // `grace`, kills; drains and reaps. Also how to learn the cause after receive() returned empty.
  // Idempotent: a second call gives the same answer. Never fails, never hangs beyond two graces.
  virtual Task<AgentExit> stop(std::chrono::milliseconds grace) = 0;

  // Kills the agent and everything it started at once and waits for nothing: for a relay that has
  // no time left. Nothing may be called afterwards but the destructor.
  virtual void kill() noexcept = 0;

  // Lets go of an agent that another run of the relay will go on with: it keeps running, nothing is
  // read any more. Nothing may be called afterwards but the destructor. False: this kind of agent
  // ends with the relay (nothing was done).
  virtual bool leave() noexcept = 0;

  // Why an agent that runs may not answer; empty when the backend knows of nothing.
  virtual Task<std::optional<Error>> diagnose() = 0;

  // What it takes of its machine now. Empty: it does not run, or nobody can tell at present.
  virtual Task<std::optional<AgentUsage>> usage() = 0;

  // When its start began, waiting for a turn to start not counted.
  virtual std::chrono::steady_clock::time_point launched_at() const = 0;

  // What its start consisted of.
  virtual LaunchTimes launch_times() const { return {}; }

  // The last lines of stderr so far, at most 64 KiB.
  virtual std::string stderr_tail() const = 0;

  // The directory the agent works in, as the agent sees it.
  virtual const std::string& working_directory() const = 0;

  // For operators: pid or container id.
  virtual std::string description() const = 0;

  virtual AgentImage image() const { return {}; }

  // How its connections reach the broker: "unix", "stdio" or "loopback"; empty: they don't.
  virtual std::string_view carrier() const { return {}; }
};

}  // namespace relay
