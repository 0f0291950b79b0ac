#include "backend/docker/log_frames.hpp"

#include <algorithm>
#include <utility>

namespace relay {
namespace {

// The Engine cuts longer lines into records of this size.
constexpr std::size_t kRecord = 16u << 10;
constexpr std::size_t kLongestTime = 64;

}  // namespace

LogFrames::Piece LogFrames::next(std::string_view& input) {
  if (std::exchange(owes_newline_, false)) return {Source::kStdout, "\n"};
  while (true) {
    Piece piece = demuxer_.next(input);
    if (piece.bytes.empty()) return piece;
    const bool ends = demuxer_.at_boundary();
    if (times_ == Times::kYes) take_time(piece);
    const bool counts = !repeated_ && !piece.bytes.empty();
    if (newlines_are_lost_ && counts && piece.source == Source::kStdout) {
      in_frame_ += piece.bytes.size();
      // A full record without newline is followed by the rest of its line.
      owes_newline_ = ends && !piece.bytes.ends_with('\n') && in_frame_ != kRecord;
    }
    if (ends) {
      in_frame_ = 0;
      in_time_ = true;
      time_.clear();
    }
    if (counts) return piece;
  }
}

// Takes a record's time off its front.
void LogFrames::take_time(Piece& piece) {
  if (!in_time_) return;
  const std::size_t space = piece.bytes.find(' ');
  const std::size_t size = std::min(space, piece.bytes.size());
  time_ += piece.bytes.substr(0, size);
  piece.bytes.remove_prefix(std::min(piece.bytes.size(), size + 1));
  in_time_ = space == std::string_view::npos && time_.size() < kLongestTime;
  if (in_time_) return;
  const auto time = record_time(time_);
  RepeatedRecords& records = piece.source == Source::kStderr ? errors_ : output_;
  repeated_ = time && records.is_repeated(*time);
}

}  // namespace relay
