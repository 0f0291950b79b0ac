// Any bytes, cut anywhere: the decoder must give what it gives for the whole, and must not crash.
#include "http/websocket_codec.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using relay::http::DecodedFrames;
using relay::http::WebSocketDecoder;

constexpr std::size_t kLimit = 4096;

void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 37;
  const std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  std::string at_once = stream;
  WebSocketDecoder whole_decoder(kLimit);
  DecodedFrames whole;
  whole_decoder.feed(at_once, whole);

  std::string in_pieces = stream;
  WebSocketDecoder split_decoder(kLimit);
  DecodedFrames split;
  for (std::size_t at = 0; at < in_pieces.size(); at += step) {
    const std::size_t count = std::min(step, in_pieces.size() - at);
    split_decoder.feed(std::span(in_pieces).subspan(at, count), split);
  }

  expect(whole.messages == split.messages);
  expect(whole.ping == split.ping);
  expect(whole.pong == split.pong);
  expect(whole.close.has_value() == split.close.has_value());
  expect(whole.failure.has_value() == split.failure.has_value());
  if (whole.failure) expect(whole.failure->code == split.failure->code);
  for (const std::string& message : whole.messages) expect(message.size() <= kLimit);
  return 0;
}
