#include "engine/stream_demuxer.hpp"

#include <algorithm>
#include <cstring>

namespace relay::engine {

StreamDemuxer::Piece StreamDemuxer::next(std::string_view& input) {
  while (!failed_ && !input.empty()) {
    if (left_ > 0) {
      const std::size_t taken = std::min<std::size_t>(left_, input.size());
      const Piece piece{source_, input.substr(0, taken)};
      left_ -= static_cast<std::uint32_t>(taken);
      input.remove_prefix(taken);
      return piece;
    }
    const std::size_t taken = std::min(sizeof header_ - header_bytes_, input.size());
    std::memcpy(header_ + header_bytes_, input.data(), taken);
    header_bytes_ += taken;
    input.remove_prefix(taken);
    if (header_bytes_ < sizeof header_) break;
    header_bytes_ = 0;
    // Number 3 are the Engine's own complaints about the stream; they go with stderr.
    failed_ = header_[0] > 3 || header_[1] != 0 || header_[2] != 0 || header_[3] != 0;
    source_ = static_cast<Source>(std::min<int>(header_[0], 2));
    left_ = std::uint32_t{header_[4]} << 24U | std::uint32_t{header_[5]} << 16U |
            std::uint32_t{header_[6]} << 8U | std::uint32_t{header_[7]};
  }
  input = {};
  return {};
}

}  // namespace relay::engine
