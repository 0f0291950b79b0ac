// Any way of cutting an attach stream gives the same stdout and stderr as no cutting at all, and
// the same for the objects of an event stream.
//
// The first byte seeds the sizes of the pieces, the rest is the stream.
#include "engine/json_objects.hpp"
#include "engine/stream_demuxer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using relay::engine::JsonObjects;
using relay::engine::StreamDemuxer;

constexpr std::size_t kMaxObject = 200;

struct Told {
  std::string streams[3];
  bool failed = false;
  bool at_boundary = true;
  std::vector<std::string> objects;
  bool bounded = true;
  bool operator==(const Told&) const = default;
};

// `seed` 0: all at once.
Told read(std::string_view input, unsigned seed) {
  StreamDemuxer demuxer;
  JsonObjects objects(kMaxObject);
  Told told;
  std::size_t given = 0;
  const std::size_t total = input.size();
  while (!input.empty()) {
    std::size_t taken = input.size();
    if (seed != 0) {
      seed = seed * 1103515245U + 12345U;
      taken = std::min<std::size_t>((seed >> 16U) % 13U + 1U, input.size());
    }
    std::string_view piece = input.substr(0, taken);
    if (told.bounded) told.bounded = objects.push(piece, told.objects);
    if (told.bounded && objects.held_bytes() > kMaxObject) std::abort();
    while (!piece.empty()) {
      const StreamDemuxer::Piece part = demuxer.next(piece);
      if (part.bytes.empty()) {
        if (!piece.empty()) std::abort();
        break;
      }
      told.streams[static_cast<std::size_t>(part.source)] += part.bytes;
      given += part.bytes.size();
    }
    input.remove_prefix(taken);
  }
  if (given > total) std::abort();
  told.failed = demuxer.failed();
  told.at_boundary = demuxer.failed() || demuxer.at_boundary();
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Told whole = read(input, 0);
  if (read(input, data[0] + 1U) != whole) std::abort();
  for (const std::string& object : whole.objects) {
    if (object.size() < 2 || object.size() > kMaxObject || object.front() != '{') std::abort();
  }
  return 0;
}
