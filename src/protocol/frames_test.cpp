#include "protocol/frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace relay {
namespace {

using ::testing::ElementsAre;

// The method of each message; of a bad one why it is bad.
std::vector<std::string> methods(std::string text) {
  std::vector<std::string> found;
  for (const auto& frame : parse_frames(std::move(text), {})) {
    found.push_back(frame ? std::string(frame->method()) : "! " + frame.error().explanation);
  }
  return found;
}

constexpr const char* kOne = R"({"jsonrpc":"2.0","method":"one"})";
constexpr const char* kTwo = R"({"jsonrpc":"2.0","method":"two"})";

TEST(Frames, AreOneAsARule) {
  EXPECT_THAT(methods(kOne), ElementsAre("one"));
  EXPECT_THAT(methods(std::string(kOne) + "\n"), ElementsAre("one"));
  EXPECT_THAT(methods(std::string(kOne) + " \r\n\n "), ElementsAre("one"));
}

TEST(Frames, AreOneOverSeveralLines) {
  EXPECT_THAT(methods("{\n  \"jsonrpc\": \"2.0\",\n  \"method\": \"one\"\n}\n"),
              ElementsAre("one"));
  EXPECT_THAT(methods("\n" + std::string(kOne)), ElementsAre("one"));
}

TEST(Frames, AreALineEach) {
  const std::string text = std::string(kOne) + "\n\r\n" + kTwo + "\r\n" + kOne + "\n";
  EXPECT_THAT(methods(text), ElementsAre("one", "two", "one"));
}

TEST(Frames, AreGoodOrBadByThemselves) {
  const std::string bad = R"({"jsonrpc":"2.0","method":1})";
  const std::string why = R"(! the member "method" must be a non-empty string)";
  EXPECT_THAT(methods(bad + "\n" + kTwo), ElementsAre(why, "two"));
  EXPECT_THAT(methods(std::string(kOne) + "\n" + bad), ElementsAre("one", why));
  EXPECT_THAT(methods(std::string(kOne) + "\n{"),
              ElementsAre("one", "! the message is not valid JSON"));
}

TEST(Frames, AreBoundedInNumber) {
  std::string most;
  for (std::size_t i = 0; i < kMostFrames; ++i) most += std::string(kOne) + "\n";
  EXPECT_EQ(methods(most).size(), kMostFrames);
  EXPECT_EQ(methods(most + "\n\n").size(), kMostFrames);
  EXPECT_THAT(methods(most + kOne), ElementsAre(testing::HasSubstr("1000 messages at most")));
  // Bad ones cost as much.
  EXPECT_THAT(methods(std::string(4'000'000, '1').replace(1, 1, "\n") + "\n1"), testing::SizeIs(3));
  std::string numbers;
  for (int i = 0; i < 1'000'000; ++i) numbers += "1\n";
  EXPECT_THAT(methods(numbers), testing::SizeIs(1));
}

TEST(Frames, OfNothingAreABadOne) {
  for (const char* text : {"", "\n", "{\n", "x\ny"}) {
    EXPECT_THAT(methods(text), ElementsAre("! the message is not valid JSON")) << text;
  }
}

}  // namespace
}  // namespace relay
