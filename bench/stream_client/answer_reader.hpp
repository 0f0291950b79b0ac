// Takes chunked answers apart as their bytes come, and counts what is in them. No I/O.
// What is no chunked answer with the status 200 ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::bench {

class AnswerReader {
 public:
  void feed(std::string_view bytes);

  /// The answer is complete: another may begin.
  [[nodiscard]] bool complete() const { return state_ == State::kComplete; }
  void begin_another();

  /// Bytes in the chunks of this answer.
  [[nodiscard]] std::uint64_t payload() const { return payload_; }

 private:
  enum class State { kStatus, kHeaders, kChunkSize, kChunk, kChunkEnd, kTrailers, kComplete };

  void take_line(std::string_view line);

  State state_ = State::kStatus;
  bool is_chunked_ = false;
  std::string begun_;  // of a line, whose end has not come
  std::uint64_t left_ = 0;
  std::uint64_t payload_ = 0;
};

}  // namespace relay::bench
