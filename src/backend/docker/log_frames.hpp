// The frames of a container's log, taken apart as StreamDemuxer does, as the agent wrote them.
// Pure.
#pragma once

#include "backend/docker/repeated_records.hpp"
#include "engine/stream_demuxer.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace relay {

class LogFrames {
 public:
  using Source = engine::StreamDemuxer::Source;
  using Piece = engine::StreamDemuxer::Piece;

  // Whether each record begins with its time (LogSelection::times). It is left out, and records
  // that come twice are.
  enum class Times : bool { kNo, kYes };

  LogFrames() = default;
  // The log driver `local` leaves out the newline of a line over 16 KiB; this gives it back.
  LogFrames(bool newlines_are_lost, Times times)
      : newlines_are_lost_(newlines_are_lost), times_(times) {}

  Piece next(std::string_view& input);
  bool failed() const { return demuxer_.failed(); }

 private:
  void take_time(Piece& piece);

  bool newlines_are_lost_ = false;
  Times times_ = Times::kNo;
  bool owes_newline_ = false;
  std::size_t in_frame_ = 0;
  bool in_time_ = true;
  bool repeated_ = false;
  std::string time_;
  RepeatedRecords output_, errors_;
  engine::StreamDemuxer demuxer_;
};

}  // namespace relay
