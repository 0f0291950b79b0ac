// An agent's connection to its upstream: kept, blocking, one request at a time.
// Errors end the program: a benchmark with a failed client has no result.
#pragma once

#include "common/fd.hpp"
#include "stream_client/answer_reader.hpp"
#include "stream_client/options.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace relay::bench {

class Stream {
 public:
  /// `receive_bytes` as for connect_to().
  explicit Stream(const Way& way, int receive_bytes = 0);

  [[nodiscard]] int fd() const { return socket_.get(); }

  /// Asks the model for `count` events.
  void ask(const StreamOptions& options, std::size_t count);
  /// One read of what comes of the answer.
  void read_some(std::span<char> buffer);
  /// All that is left of the answer; its payload.
  std::uint64_t read_all(std::span<char> buffer);

  [[nodiscard]] std::uint64_t payload() const { return answer_.payload(); }

 private:
  const Way& way_;
  Fd socket_;
  AnswerReader answer_;
  std::string request_;
};

}  // namespace relay::bench
