// Takes stdout and stderr of a container's attach stream apart.
//
// Pure. The stream is frames of eight bytes of header (stream number, three zeros, big-endian
// length) and payload; frames do not follow lines and reads do not follow frames. Holds at most the
// eight bytes of an unfinished header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relay::engine {

class StreamDemuxer {
 public:
  enum class Source : std::uint8_t { kStdin = 0, kStdout = 1, kStderr = 2 };

  struct Piece {
    Source source = Source::kStdout;
    std::string_view bytes;  // part of what was pushed; empty: nothing more in it
  };

  // Takes the next piece off the front of `input`. A piece without bytes: all of `input` is used.
  // After failed() nothing is given any more.
  Piece next(std::string_view& input);

  // The bytes were no such stream (a container with a terminal, or something else answered).
  bool failed() const { return failed_; }
  // Between two frames: the stream may end here.
  bool at_boundary() const { return header_bytes_ == 0 && left_ == 0; }

 private:
  unsigned char header_[8] = {};
  std::size_t header_bytes_ = 0;
  std::uint32_t left_ = 0;  // of the current frame's payload
  Source source_ = Source::kStdout;
  bool failed_ = false;
};

}  // namespace relay::engine
