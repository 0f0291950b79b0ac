#include "http/websocket_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array<unsigned char, 4> kExampleMask{0x37, 0xfa, 0x21, 0x3d};

std::string frame(unsigned char first, std::string_view payload) {
  std::string out;
  append_frame(out, Opcode::kText, payload, kExampleMask);
  out[0] = static_cast<char>(first);
  return out;
}

std::string close_payload(std::uint16_t code, std::string_view reason = "") {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return out.append(reason);
}

DecodedFrames decode(std::string bytes, std::size_t limit = 1 << 20) {
  WebSocketDecoder decoder(limit);
  DecodedFrames out;
  decoder.feed(bytes, out);
  return out;
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

TEST(WebSocketDecoder, ReadsTheMaskedHelloOfTheRfc) {
  const auto out =
      decode(bytes_of({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
  EXPECT_THAT(out.messages, ElementsAre("Hello"));
}

TEST(WebSocketDecoder, RefusesTheUnmaskedHelloOfTheRfc) {
  const auto out = decode(bytes_of({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  ASSERT_TRUE(out.failure);
  EXPECT_EQ(out.failure->code, CloseCode::kProtocolError);
}

TEST(WebSocketDecoder, ReadsAServersFramesUnmaskedOnly) {
  WebSocketDecoder client(100, Side::kServer);
  DecodedFrames out;
  std::string plain = bytes_of({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f});
  append_frame(plain, Opcode::kPong, "7");
  append_frame(plain, Opcode::kPong, "");
  client.feed(plain, out);
  EXPECT_THAT(out.messages, ElementsAre("Hello"));
  EXPECT_TRUE(out.pong);
  EXPECT_EQ(out.pong_payload, "7");
  std::string masked = frame(0x81, "Hello");
  client.feed(masked, out);
  ASSERT_TRUE(out.failure);
  EXPECT_EQ(out.failure->code, CloseCode::kProtocolError);
}

TEST(WebSocketDecoder, JoinsFragmentsAroundAPing) {
  const auto out = decode(frame(0x01, "Hel") + frame(0x89, "are you there") + frame(0x00, "") +
                          frame(0x80, "lo") + frame(0x81, "next"));
  EXPECT_THAT(out.messages, ElementsAre("Hello", "next"));
  EXPECT_EQ(out.ping, "are you there");
}

TEST(WebSocketDecoder, LeavesRoomForTheParserBehindEveryMessage) {
  for (const std::size_t size : {0u, 1u, 15u, 125u, 126u, 65535u, 65536u, 3000000u}) {
    const auto out = decode(frame(0x81, std::string(size, 'x')), 4 << 20);
    ASSERT_EQ(out.messages.size(), 1u) << size;
    EXPECT_EQ(out.messages[0], std::string(size, 'x'));
    EXPECT_GE(out.messages[0].capacity(), size + 64);
  }
}

TEST(WebSocketDecoder, TakesBinaryMessagesThatAreText) {
  const auto out = decode(frame(0x02, "\xff\xfe") + frame(0x80, "\xff") + frame(0x02, "b\xc3") +
                          frame(0x80, "\xa4") + frame(0x81, "text"));
  EXPECT_THAT(out.messages, ElementsAre("b\xc3\xa4", "text"));
  EXPECT_FALSE(out.failure);
}

TEST(WebSocketDecoder, GivesTheSameForEverySplit) {
  const std::string stream =
      frame(0x81, "") + frame(0x81, "one") + frame(0x01, std::string(200, 'a')) +
      frame(0x8a, "pong") + frame(0x80, "b\xc3\xa4") + frame(0x82, "binary") + frame(0x89, "ping") +
      frame(0x81, std::string(70000, 'c')) + frame(0x88, close_payload(1000, "bye"));
  const auto check = [&](std::size_t cut, std::size_t second_cut) {
    std::string copy = stream;
    const std::span<char> all(copy);
    WebSocketDecoder decoder(100000);
    DecodedFrames out;
    decoder.feed(all.first(cut), out);
    decoder.feed(all.subspan(cut, second_cut - cut), out);
    decoder.feed(all.subspan(second_cut), out);
    ASSERT_THAT(out.messages, ElementsAre("", "one", std::string(200, 'a') + "b\xc3\xa4", "binary",
                                          std::string(70000, 'c')));
    ASSERT_EQ(out.ping, "ping");
    ASSERT_TRUE(out.pong);
    ASSERT_TRUE(out.close);
    ASSERT_EQ(out.close->code, 1000);
    ASSERT_EQ(out.close->reason, "bye");
    ASSERT_FALSE(out.failure);
  };
  for (std::size_t cut = 0; cut < 400; ++cut) check(cut, std::min(cut + 7, stream.size()));
  for (std::size_t cut = stream.size() - 60; cut <= stream.size(); ++cut) check(cut, cut);
  for (std::size_t cut = 0; cut < stream.size(); cut += 997)
    check(cut, stream.size() - 5 < cut ? cut : stream.size() - 5);

  std::string copy = stream;
  WebSocketDecoder decoder(100000);
  DecodedFrames out;
  for (char& byte : copy) decoder.feed(std::span(&byte, 1), out);
  EXPECT_EQ(out.messages.size(), 5u);
  EXPECT_TRUE(out.close);
}

TEST(WebSocketDecoder, HoldsTheLimitAtItsEdge) {
  EXPECT_EQ(decode(frame(0x81, std::string(1000, 'x')), 1000).messages.size(), 1u);
  const auto over = decode(frame(0x81, std::string(1001, 'x')), 1000);
  ASSERT_TRUE(over.failure);
  EXPECT_EQ(over.failure->code, CloseCode::kTooBig);
  const auto joined =
      decode(frame(0x01, std::string(600, 'x')) + frame(0x80, std::string(400, 'x')), 1000);
  EXPECT_EQ(joined.messages.size(), 1u);
  const auto joined_over =
      decode(frame(0x01, std::string(600, 'x')) + frame(0x80, std::string(401, 'x')), 1000);
  ASSERT_TRUE(joined_over.failure);
  EXPECT_EQ(joined_over.failure->code, CloseCode::kTooBig);
}

TEST(WebSocketDecoder, RefusesAnAnnouncedSizeBeforeItsBytesCome) {
  const auto out =
      decode(bytes_of({0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}));
  ASSERT_TRUE(out.failure);
  EXPECT_EQ(out.failure->code, CloseCode::kTooBig);
}

struct BadStream {
  const char* what;
  std::string bytes;
  CloseCode code;
};

TEST(WebSocketDecoder, ClosesWithTheRightCode) {
  const BadStream table[] = {
      {"RSV1", frame(0xc1, "x"), CloseCode::kProtocolError},
      {"RSV2", frame(0xa1, "x"), CloseCode::kProtocolError},
      {"RSV3", frame(0x91, "x"), CloseCode::kProtocolError},
      {"opcode 3", frame(0x83, "x"), CloseCode::kProtocolError},
      {"opcode 11", frame(0x8b, "x"), CloseCode::kProtocolError},
      {"fragmented ping", frame(0x09, "x"), CloseCode::kProtocolError},
      {"ping of 126 bytes", frame(0x89, std::string(126, 'x')), CloseCode::kProtocolError},
      {"continuation of nothing", frame(0x80, "x"), CloseCode::kProtocolError},
      {"text inside text", frame(0x01, "x") + frame(0x81, "y"), CloseCode::kProtocolError},
      {"half a close code", frame(0x88, "x"), CloseCode::kProtocolError},
      {"close 1005", frame(0x88, close_payload(1005)), CloseCode::kProtocolError},
      {"close 999", frame(0x88, close_payload(999)), CloseCode::kProtocolError},
      {"close 1016", frame(0x88, close_payload(1016)), CloseCode::kProtocolError},
      {"close 5000", frame(0x88, close_payload(5000)), CloseCode::kProtocolError},
      {"close reason", frame(0x88, close_payload(1000, "\xff")), CloseCode::kInvalidData},
      {"16 bits for 5", bytes_of({0x81, 0xfe, 0, 5, 0, 0, 0, 0}), CloseCode::kProtocolError},
      {"64 bits for 126", bytes_of({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 126, 0, 0, 0, 0}),
       CloseCode::kProtocolError},
      {"length sign", bytes_of({0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
       CloseCode::kProtocolError},
      {"UTF-8", frame(0x81, "\xc3"), CloseCode::kInvalidData},
      {"surrogate", frame(0x81, "\xed\xa0\x80"), CloseCode::kInvalidData},
      {"UTF-8 in pieces", frame(0x01, "\xc3") + frame(0x80, "("), CloseCode::kInvalidData},
  };
  for (const BadStream& row : table) {
    const auto out = decode(row.bytes + frame(0x81, "ignored"));
    ASSERT_TRUE(out.failure) << row.what;
    EXPECT_EQ(out.failure->code, row.code) << row.what;
    EXPECT_THAT(out.messages, IsEmpty()) << row.what;
  }
}

TEST(WebSocketDecoder, KeepsMessagesThatCameBeforeAFailure) {
  const auto out = decode(frame(0x81, "good") + frame(0x83, "bad"));
  EXPECT_THAT(out.messages, ElementsAre("good"));
  EXPECT_TRUE(out.failure);
}

TEST(WebSocketDecoder, AcceptsACharacterSplitBetweenFragments) {
  EXPECT_THAT(decode(frame(0x01, "\xc3") + frame(0x80, "\xa4")).messages, ElementsAre("\xc3\xa4"));
}

TEST(WebSocketDecoder, AcceptsAnEmptyClose) {
  const auto out = decode(frame(0x88, ""));
  ASSERT_TRUE(out.close);
  EXPECT_FALSE(out.close->code);
}

TEST(FrameEncoder, WritesTheExamplesOfTheRfc) {
  std::string hello;
  append_frame(hello, Opcode::kText, "Hello");
  EXPECT_EQ(hello, bytes_of({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  std::string ping;
  append_frame(ping, Opcode::kPong, "Hello", kExampleMask);
  EXPECT_EQ(ping, bytes_of({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
  std::array<char, 10> header{};
  EXPECT_EQ(encode_frame_header(header, Opcode::kBinary, 256), 4u);
  EXPECT_EQ(std::string(header.data(), 4), bytes_of({0x82, 0x7e, 0x01, 0x00}));
  EXPECT_EQ(encode_frame_header(header, Opcode::kBinary, 65536), 10u);
  EXPECT_EQ(std::string(header.data(), 10), bytes_of({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(encode_frame_header(header, Opcode::kText, 125), 2u);
  EXPECT_EQ(encode_frame_header(header, Opcode::kText, 126), 4u);
  EXPECT_EQ(encode_frame_header(header, Opcode::kText, 65535), 4u);
}

TEST(FrameEncoder, CutsALongCloseReasonBetweenCharacters) {
  std::string reason(122, 'x');
  reason += "\xc3\xa4 and more";
  std::string out;
  append_close_frame(out, CloseCode::kGoingAway, reason);
  EXPECT_EQ(out.size(), 2u + 2u + 122u);
  EXPECT_EQ(out.substr(0, 4), bytes_of({0x88, 124, 0x03, 0xe9}));
}

TEST(ApplyMask, IsRightAtEveryOffsetAndLength) {
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size < 40; ++size) {
      std::string text(size, 'q');
      apply_mask(text, kExampleMask, offset);
      for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(static_cast<unsigned char>(text[i]), 'q' ^ kExampleMask[(offset + i) % 4]);
      }
    }
  }
}

}  // namespace
}  // namespace relay::http
