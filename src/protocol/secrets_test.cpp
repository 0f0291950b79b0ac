#include "protocol/secrets.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <random>
#include <string>
#include <thread>

namespace relay {
namespace {

TEST(SecretRedactor, ReplacesEverySpellingOfASecret) {
  const SecretRedactor redactor({"hunter\"2", "abc"});
  EXPECT_EQ(redactor.redacted(R"(x hunter\"2 abcabc)"), "x *** ******");
  EXPECT_EQ(redactor.redacted("hunter\"2"), "***");
  EXPECT_FALSE(redactor.redact("nothing here"));
}

TEST(SecretRedactor, LearnsFurtherSecretsAndKeepsThoseThatItKnew) {
  SecretRedactor redactor;
  EXPECT_EQ(redactor.redacted("first second"), "first second");
  redactor.learn({"first"});
  redactor.learn({"second"});
  EXPECT_EQ(redactor.redacted("first second"), "*** ***");
}

TEST(SecretRedactor, KeepsTheLastOnesOfAPlaceWhoseSecretChanges) {
  SecretRedactor redactor({"lasting"});
  redactor.learn_next("other", "secret-of-other");
  for (std::size_t i = 0; i <= SecretRedactor::kKeptOfEach; ++i) {
    redactor.learn_next("place", "secret-" + std::to_string(i) + ".");
    redactor.learn_next("place", "secret-" + std::to_string(i) + ".");
  }
  EXPECT_EQ(redactor.redacted("secret-0. secret-1. secret-8."), "secret-0. *** ***");
  EXPECT_EQ(redactor.redacted("secret-of-other lasting"), "*** ***");
  redactor.learn_next("place", "secret-1.");
  redactor.learn_next("place", "secret-9.");
  EXPECT_EQ(redactor.redacted("secret-1. secret-2. secret-9."), "*** secret-2. ***")
      << "what is in use again counts as new";
}

TEST(SecretRedactor, LearnsWhileOthersRead) {
  SecretRedactor redactor({"lasting"});
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over) EXPECT_EQ(redactor.redacted("lasting"), "***");
  });
  for (int i = 0; i < 200; ++i) redactor.learn_next("place", "secret-" + std::to_string(i));
  over = true;
  reader.join();
}

TEST(SecretRedactor, PrefersTheLongerOfTwoThatOverlap) {
  EXPECT_EQ(SecretRedactor({"key", "key-long"}).redacted("key-long key"), "*** ***");
}

TEST(SecretRedactor, FindsASecretHoweverJsonSpellsIt) {
  const SecretRedactor redactor({"a/b&c-\xC3\xA4\xF0\x9F\x98\x80!"});
  for (const char* spelling : {
           "a/b&c-\xC3\xA4\xF0\x9F\x98\x80!",
           R"(a\/b\u0026c-\u00e4\ud83d\ude00!)",
           R"(a\u002fb\u0026c-\u00E4\uD83D\uDE00!)",
           R"(\u0061\u002F\u0062\u0026\u0063\u002d\u00e4\ud83D\ude00\u0021)",
           R"(a\\\/b\\u0026c-\\u00e4\\ud83d\\ude00!)",
           R"(a\\\\\\\/b&c-\\\\u00e4\\\\ud83d\\\\ude00!)",
           R"(a\u005cu002fb&c-\u00e4\ud83d\ude00!)",
       }) {
    const std::string text = std::string(R"({"text":"x\n)") + spelling + R"(\ty"})";
    EXPECT_EQ(redactor.redacted(text), R"({"text":"x\n***\ty"})") << spelling;
  }
  EXPECT_FALSE(redactor.redact(R"({"text":"a\/b\u0026d \u00e4"})"));
}

// One layer of JSON's spelling, each character in one of the ways that it has.
std::string spelled(std::string_view text, std::mt19937& random) {
  std::string out;
  for (const char c : text) {
    const bool must = c == '"' || c == '\\';
    char digits[8];
    std::snprintf(digits, sizeof digits, random() % 2 == 0 ? "\\u%04x" : "\\u%04X",
                  static_cast<unsigned>(c));
    if (random() % 3 == 0) {
      out += digits;
    } else if (must || (c == '/' && random() % 2 == 0)) {
      out.append({'\\', c});
    } else {
      out += c;
    }
  }
  return out;
}

TEST(SecretRedactor, FindsEveryRandomSpelling) {
  std::mt19937 random(7);
  constexpr std::string_view kCharacters = "abcnu0149/\\\"-_";
  const auto any = [&](std::size_t size) {
    std::string text;
    while (text.size() < size) text += kCharacters[random() % kCharacters.size()];
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::string secret = "!" + any(6 + random() % 10) + "!";
    std::string before = any(random() % 12), text = secret, after = any(random() % 12);
    for (int layers = static_cast<int>(random() % 4); layers > 0; --layers) {
      before = spelled(before, random);
      text = spelled(text, random);
      after = spelled(after, random);
    }
    ASSERT_EQ(SecretRedactor({secret}).redacted(before + text + after), before + "***" + after)
        << before << " " << text << " " << after;
  }
}

TEST(SecretRedactor, LeavesJsonThatIsStillJson) {
  // Neither the n of \\n nor the end of a character in digits is the beginning of a secret alone.
  EXPECT_EQ(SecretRedactor({"nabcde"}).redacted(R"({"a":"x\nabcde"})"), R"({"a":"x***"})");
  EXPECT_EQ(SecretRedactor({"41abcde"}).redacted(R"({"a":"x\u0041abcde"})"), R"({"a":"x***"})");
  EXPECT_EQ(SecretRedactor({"abcde\\"}).redacted(R"({"a":"abcde\"b"})"), R"({"a":"***b"})");
}

TEST(SecretRedactor, LeavesJsonThatIsStillJsonWhereANumberShowsASecret) {
  const SecretRedactor redactor({"100000"});
  EXPECT_EQ(
      redactor.redacted(
          R"({"jsonrpc":"2.0","id":4100000,"result":{"size":1000000,"cost":-1.5e100000,"in":"x1000000"}})"),
      R"({"jsonrpc":"2.0","id":4100000,"result":{"size":"***","cost":"***","in":"x***0"}})");
  EXPECT_EQ(redactor.redacted("size 1000000"), "size ***0");
  EXPECT_EQ(redactor.redacted("100000"), "***");
  EXPECT_EQ(SecretRedactor({R"({"key":"x"})"}).redacted(R"({"a":{"key":"x"},"b":1})"),
            R"({"a":"***","b":1})");
}

TEST(SecretRedactor, FindsASecretAcrossThePiecesOfALargeText) {
  const std::string secret = "sk-0123456789/abcdef";
  const SecretRedactor redactor({secret});
  const std::string spelled = R"(sk-0123456789\/abcdef)";
  const std::size_t piece = 256u << 10;
  for (std::size_t before = piece - 2 * spelled.size(); before < piece + spelled.size(); ++before) {
    std::string text(before, '.');
    text += spelled;
    ASSERT_EQ(redactor.redacted(text), std::string(before, '.') + "***") << before;
  }
}

TEST(SecretRedactor, HidesASecretOfSeveralLinesLineByLine) {
  const std::string key =
      "-----BEGIN EXAMPLE KEY-----\nFIRSTLINEFIRST/x\r\n  SECONDLINESECOND==\n}\n-----END-----\n";
  const SecretRedactor redactor({key});
  EXPECT_EQ(redactor.redacted("FIRSTLINEFIRST/x"), "***");
  EXPECT_EQ(redactor.redacted("at SECONDLINESECOND== }"), "at *** }");
  EXPECT_EQ(redactor.redacted(R"({"a":"FIRSTLINEFIRST\/x"})"), R"({"a":"***"})");
  EXPECT_EQ(redactor.redacted(key + "."), "***.");
  EXPECT_FALSE(redactor.redact("-----BEGIN EXAMPLE KEY-----"));
}

TEST(SecretRedactor, HidesWhatACutHasLeft) {
  const SecretRedactor redactor({"0123456789abcdef"});
  EXPECT_EQ(redactor.redacted_piece("6789abcdef and 01234567"), "*** and ***");
  EXPECT_EQ(redactor.redacted_piece("bcdef and 01234"), "bcdef and 01234");
  EXPECT_EQ(redactor.redacted_piece("x 0123456789abcdef x"), "x *** x");
}

TEST(RequestSecrets, FindsServersAtAnyDepth) {
  std::string text = R"({"mcpServers":{"a":{"env":{"K":"canary"}}}})";
  for (int i = 0; i < 500; ++i) text = R"({"a":[)" + text + "]}";
  text = R"({"jsonrpc":"2.0","id":1,"method":"x/y","params":)" + text + "}";
  const std::string stored = without_request_secrets("x/y", text);
  EXPECT_EQ(stored.find("canary"), std::string::npos);
  EXPECT_NE(stored.find(R"({"K":"***"})"), std::string::npos);
}

TEST(RequestSecrets, ReadsHalfASurrogatePair) {
  EXPECT_EQ(
      without_request_secrets(
          "session/new",
          R"({"id":7,"method":"session/new","params":{"a":"\ud800\n","env":{"K":"canary"}}})"),
      "{\"id\":7,\"method\":\"session/"
      "new\",\"params\":{\"a\":\"\xEF\xBF\xBD\\n\",\"env\":{\"K\":\"***\"}}}");
  const std::string prompt =
      R"({"id":7,"method":"session/prompt","params":{"a":"\ud800 \u001b[m mcpServers"}})";
  EXPECT_EQ(without_request_secrets("session/prompt", prompt), prompt);
}

TEST(RequestSecrets, DoesNotKeepWhatItCantRead) {
  std::string text = R"("canary")";
  for (int i = 0; i < 3000; ++i) text = "[" + text + "]";
  text = R"({"jsonrpc":"2.0","id":7,"method":"session/new","params":{"env":)" + text + "}}";
  EXPECT_EQ(without_request_secrets("session/new", text),
            R"({"jsonrpc":"2.0","id":7,"method":"session/new","params":"***"})");
}

TEST(RequestSecrets, HidesValuesOfMcpServers) {
  EXPECT_EQ(
      without_request_secrets(
          "session/new",
          R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[{"name":"a","env":[{"name":"K","value":"s1"}]},{"name":"b","headers":[{"name":"H","value":"s2"}]},{"name":"c","env":{"K":"s3"}}]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[{"name":"a","env":[{"name":"K","value":"***"}]},{"name":"b","headers":[{"name":"H","value":"***"}]},{"name":"c","env":{"K":"***"}}]}})");
}

TEST(RequestSecrets, HidesTheEnvironmentOfANewSession) {
  EXPECT_EQ(
      without_request_secrets(
          "session/new",
          R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"env":{"KEY":"s1"},"mcp\u0053ervers":[{"env":[{"name":"K","value":"s2"}]}]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"env":{"KEY":"***"},"mcpServers":[{"env":[{"name":"K","value":"***"}]}]}})");
}

TEST(RequestSecrets, HidesAllThatAuthenticateCarries) {
  EXPECT_EQ(
      without_request_secrets(
          "authenticate",
          R"({"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"methodId":"m","key":["s"]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"methodId":"***","key":["***"]}})");
}

TEST(RequestSecrets, LeavesOtherMessagesByteForByte) {
  const std::string text =
      R"({ "jsonrpc":"2.0","method":"m","params":{"big":18446744073709551616}})";
  EXPECT_EQ(without_request_secrets("m", text), text);
}

}  // namespace
}  // namespace relay
