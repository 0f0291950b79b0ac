// Requests put together at random: what goes out of those that are let through has one meaning.
#include "egress/outgoing_headers.hpp"
#include "egress/testing/running_door.hpp"
#include "egress/withheld.hpp"
#include "http/message_format.hpp"
#include "http/message_parser.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relay::egress {
namespace {

constexpr std::array<std::string_view, 26> kNames{"Authorization",
                                                  "authorization ",
                                                  "AUTHORIZATION",
                                                  "x_api_key",
                                                  "X-Api-Key",
                                                  "Cookie",
                                                  "Host",
                                                  "host",
                                                  "Content-Length",
                                                  "Content_Length",
                                                  "Transfer-Encoding",
                                                  "transfer-encoding",
                                                  "Transfer_Encoding",
                                                  "Connection",
                                                  "Upgrade",
                                                  "TE",
                                                  "Expect",
                                                  "X-Forwarded-For",
                                                  "X-HTTP-Method",
                                                  "Keep-Alive",
                                                  "Accept",
                                                  "X-A",
                                                  " X-A",
                                                  "X-A\t",
                                                  "",
                                                  "Proxy-Authorization"};

constexpr std::array<std::string_view, 20> kValues{"chunked",
                                                   "gzip, chunked",
                                                   "0",
                                                   "1",
                                                   "4",
                                                   "-1",
                                                   "+1",
                                                   "1, 1",
                                                   "keep-alive",
                                                   "close",
                                                   "Accept",
                                                   "Upgrade",
                                                   "upgrade, authorization",
                                                   "websocket",
                                                   "h2c",
                                                   "mine",
                                                   "",
                                                   "\tmine\t",
                                                   "mine\r\n\tX-Api-Key: mine",
                                                   std::string_view("mi\0ne", 5)};

constexpr std::array<std::string_view, 8> kEnds{"\r\n", "\r\n", "\r\n", "\r\n",
                                                "\r\n", "\r\n", "\n",   "\r"};

class Dice {
 public:
  template <std::size_t kSize>
  std::string_view one_of(const std::array<std::string_view, kSize>& all) {
    return all.at(generator_() % kSize);
  }
  std::size_t below(std::size_t limit) { return generator_() % limit; }

 private:
  std::minstd_rand generator_{1};
};

std::string request_of(Dice& dice) {
  std::string text = "POST /own/v1 HTTP/1.1\r\n";
  if (dice.below(4) > 0) text += "Host: x\r\n";
  for (std::size_t left = dice.below(5); left > 0; --left) {
    text.append(dice.one_of(kNames)).append(": ").append(dice.one_of(kValues));
    text += dice.one_of(kEnds);
  }
  return text + "\r\n";
}

bool is_there(const http::RequestParser& parser) {
  return parser.is_chunked() || parser.content_length();
}

TEST(OutgoingRequest, HasOneMeaningWhateverCameIn) {
  const std::vector<Upstream> upstreams{testing::own_upstream("http://llm.example.com")};
  Dice dice;
  std::size_t passed = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = request_of(dice);
    http::RequestParser came(64u << 10, 1u << 10);
    const http::ParseStep step = came.feed(text);
    if (step.state != http::ParseState::kHead && step.state != http::ParseState::kDone) continue;
    const http::Request& request = came.request();
    const Verdict verdict = judge(request.method, request.target, upstreams);
    ASSERT_TRUE(std::holds_alternative<Passage>(verdict));
    http::Framing framing;
    framing.chunked = came.is_chunked();
    if (const auto length = came.content_length()) framing.content_length = *length;
    std::string out;
    http::append_request_head(
        out, request.method, std::get<Passage>(verdict).target,
        outgoing_headers(request.headers, upstreams[0], "real", AnswerForm::kAsAsked), framing);
    ++passed;

    http::RequestParser goes(64u << 10, 1u << 10);
    const http::ParseStep read = goes.feed(out);
    ASSERT_NE(read.state, http::ParseState::kFailed) << text << out << read.explanation;
    ASSERT_EQ(read.consumed, out.size()) << text << out;
    EXPECT_EQ(goes.is_chunked(), came.is_chunked());
    EXPECT_EQ(goes.content_length(), came.content_length());
    std::size_t framings = 0;
    for (const http::Header& header : goes.request().headers) {
      const std::string name = plain_name(header.name);
      const bool is_the_agents = header.value.find("mine") != std::string::npos;
      const bool may_be = name == "x-a" || name == "accept";
      EXPECT_TRUE(!is_the_agents || may_be) << text << out;
      const bool is_known = name != "authorization" || header.value == "Bearer real";
      EXPECT_TRUE(is_known) << text << out;
      if (name == "content-length" || name == "transfer-encoding") ++framings;
    }
    EXPECT_EQ(framings, is_there(goes) ? 1U : 0U) << text << out;
  }
  EXPECT_GT(passed, 1'000U);  // or it has shown nothing
}

}  // namespace
}  // namespace relay::egress
