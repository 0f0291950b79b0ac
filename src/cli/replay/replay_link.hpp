// The way to the agent of a replay: a relay's /acp by WebSocket, or a child's stdin and stdout.
//
// Owns the connection or the process. One receive() and one send() at a time.
#pragma once

#include "base/async.hpp"
#include "cli/connect_target.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace relay::cli {

// Of one message.
constexpr std::size_t kMaxReplayedBytes = 256u << 20;

class ReplayLink {
 public:
  virtual ~ReplayLink() = default;

  // False: the other side takes nothing any more.
  virtual Task<bool> send(std::vector<std::string> messages) = 0;
  // At least one message; empty when the other side has ended.
  virtual Task<std::vector<std::string>> receive() = 0;
  // Leaves nothing running. `session` may be empty.
  virtual Task<void> close(std::string session) = 0;
  // Why receive() has ended.
  virtual std::string ended() const = 0;
  // What a request without an answer ends with then: a type of error, as in transcripts.
  virtual std::string_view error_type() const = 0;
};

Task<Outcome<std::unique_ptr<ReplayLink>>> open_relay_link(asio::any_io_executor executor,
                                                           ConnectTarget target);

// The command runs with the whole environment, in the directory.
Task<Outcome<std::unique_ptr<ReplayLink>>> open_process_link(asio::any_io_executor executor,
                                                             std::vector<std::string> command,
                                                             std::string directory,
                                                             Environment environment);

}  // namespace relay::cli
