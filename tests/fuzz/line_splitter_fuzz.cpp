// Any way of cutting the input into pieces gives the same lines as no cutting at all.
//
// The first byte is the line limit, the second seeds the sizes of the pieces, the rest is the
// stream.
#include "protocol/line_splitter.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Split {
  std::vector<std::string> lines;
  std::uint64_t oversized = 0;
  bool operator==(const Split&) const = default;
};

Split split(std::string_view input, std::size_t limit, unsigned seed) {
  relay::LineSplitter splitter(limit);
  Split result;
  while (!input.empty()) {
    seed = seed * 1103515245U + 12345U;
    const std::size_t taken = std::min<std::size_t>((seed >> 16U) % 17U + 1U, input.size());
    splitter.push(input.substr(0, taken), result.lines);
    if (splitter.held_bytes() > limit + 1) std::abort();
    input.remove_prefix(taken);
  }
  splitter.finish(result.lines);
  result.oversized = splitter.take_oversized();
  return result;
}

Split split_at_once(std::string_view input, std::size_t limit) {
  relay::LineSplitter splitter(limit);
  Split result;
  splitter.push(input, result.lines);
  splitter.finish(result.lines);
  result.oversized = splitter.take_oversized();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t limit = data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Split whole = split_at_once(input, limit);
  if (split(input, limit, data[1]) != whole) std::abort();
  for (const std::string& line : whole.lines) {
    if (line.empty() || line.size() > limit) std::abort();
    if (line.find('\n') != std::string::npos) std::abort();
    if (line.capacity() - line.size() < relay::LineSplitter::kSlack) std::abort();
  }
  return 0;
}
