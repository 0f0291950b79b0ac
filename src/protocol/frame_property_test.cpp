// Random JSON texts, whole and damaged: Frame accepts what a JSON parser accepts and nothing else,
// finds the same parts, and keeps every byte.
#include "protocol/frame.hpp"
#include "protocol/scalar_grammar.hpp"
#include "protocol/splice.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>

namespace relay {
namespace {

namespace json = boost::json;

unsigned first_seed() {
  const char* const chosen = std::getenv("RELAY_TEST_SEED");
  return chosen != nullptr ? static_cast<unsigned>(std::strtoul(chosen, nullptr, 10))
                           : std::random_device{}();
}

class Texts {
 public:
  explicit Texts(unsigned seed) : random_(seed) {}

  unsigned below(std::size_t bound) {
    return std::uniform_int_distribution<unsigned>(0, static_cast<unsigned>(bound) - 1)(random_);
  }
  std::string one_of(std::initializer_list<const char*> list) {
    return *(list.begin() + below(list.size()));
  }
  std::string space() { return one_of({"", "", "", " ", "\t", "  ", "\n", "\r\n "}); }
  std::string string() {
    return one_of({R"("")", R"("a")", R"("sessionId")", R"("\"")", R"("\\")", R"("\u00e4\/\b")",
                   R"("\ud83d\ude00")", "\"\xc3\xa4\"", R"("}],{")", R"("1")",
                   R"("sess_00112233445566778899aabbccddeeff")"});
  }
  std::string number() {
    return one_of({"0", "-0", "1", "-17", "9007199254740993", "123456789012345678901234567890",
                   "1.0", "-0.50", "1e5", "1E+10", "2.5e-3"});
  }
  std::string value(int depth) {
    switch (below(depth > 0 ? 6 : 3)) {
      case 0:
        return string();
      case 1:
        return number();
      case 2:
        return one_of({"null", "true", "false"});
      case 3:
        return array(depth);
      default:
        return object(depth);
    }
  }
  std::string array(int depth) {
    std::string out = "[" + space();
    const unsigned count = below(4);
    for (unsigned i = 0; i < count; ++i) {
      if (i > 0) out += "," + space();
      out += value(depth - 1) + space();
    }
    return out + "]";
  }
  std::string object(int depth) {
    std::string out = "{" + space();
    const unsigned count = below(4);
    for (unsigned i = 0; i < count; ++i) {
      if (i > 0) out += "," + space();
      out += string() + space() + ":" + space() + value(depth - 1) + space();
    }
    return out + "}";
  }

  // A request, its id and the text of its params.
  struct Message {
    std::string text;
    std::string id;
    std::string params;
  };
  Message message() {
    Message made;
    made.id = below(2) == 0 ? number() : string();
    made.params = object(4);
    std::vector<std::string> members = {R"("jsonrpc")" + space() + R"(:"2.0")",
                                        R"("id":)" + space() + made.id, R"("method":"m/x")",
                                        R"("params":)" + made.params, R"("extra":)" + value(2)};
    std::shuffle(members.begin(), members.end(), random_);
    made.text = space() + "{";
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) made.text += space() + "," + space();
      made.text += members[i];
    }
    made.text += space() + "}" + space();
    return made;
  }

  void damage(std::string& text) {
    const std::size_t at = below(text.size());
    switch (below(4)) {
      case 0:
        text.erase(at, 1 + below(3));
        break;
      case 1:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 2:
        text[at] = static_cast<char>(below(256));
        break;
      default:
        text.resize(at);
    }
  }

 private:
  std::mt19937 random_;
};

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

std::string mended(std::string text) {
  mend_surrogates(text);
  return text;
}

// Half a pair of \ud8xx\udcxx is good by the grammar, and strings of JavaScript have it; but the
// parser that is asked here wants whole ones.
std::string without_surrogates(std::string text) {
  for (std::size_t at = 0; at + 5 < text.size(); ++at) {
    if (text[at] != '\\') continue;
    ++at;
    const bool half = text[at] == 'u' && (text[at + 1] | 0x20) == 'd' && text[at + 2] != 0 &&
                      std::strchr("89abcdefABCDEF", text[at + 2]) != nullptr;
    if (half) text.replace(at + 1, 2, "00");
  }
  return text;
}

bool is_json(const std::string& text) {
  json::parse_options options;
  options.max_depth = 1000;
  boost::system::error_code failure;
  json::parse(without_surrogates(text), failure, {}, options);
  return !failure || failure == json::error::exponent_overflow;  // a limit of its own
}

TEST(FrameProperty, FindsThePartsAndKeepsTheBytes) {
  const unsigned seed = first_seed();
  for (unsigned round = 0; round < 5000 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("RELAY_TEST_SEED=" + std::to_string(seed + round));
    Texts texts(seed + round);
    const auto message = texts.message();
    const auto frame = Frame::parse(message.text, {});
    ASSERT_TRUE(frame) << message.text << "\n" << frame.error().explanation;
    EXPECT_EQ(frame->bytes(), one_line(mended(message.text)));
    EXPECT_EQ(frame->kind(), FrameKind::kRequest);
    EXPECT_EQ(frame->id(), message.id);
    EXPECT_EQ(frame->method(), "m/x");
    EXPECT_EQ(frame->params(), one_line(message.params));

    Edits edits;
    edits.push_back({frame->envelope().id, "\"other\""});
    const auto changed = Frame::parse(splice(frame->bytes(), edits), {});
    ASSERT_TRUE(changed) << message.text;
    EXPECT_EQ(changed->id(), "\"other\"");
    EXPECT_EQ(changed->params(), frame->params());
    Edits back;
    back.push_back({changed->envelope().id, message.id});
    EXPECT_EQ(splice(changed->bytes(), back), frame->bytes());
  }
}

TEST(FrameProperty, AcceptsNoDamagedJson) {
  const unsigned seed = first_seed();
  for (unsigned round = 0; round < 20000 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("RELAY_TEST_SEED=" + std::to_string(seed + round));
    Texts texts(seed + round);
    std::string text = texts.message().text;
    texts.damage(text);
    const auto frame = Frame::parse(text, {});
    if (frame) {
      EXPECT_TRUE(is_json(text)) << text;
    } else if (frame.error().kind == FrameError::Kind::kNotJson) {
      EXPECT_FALSE(is_json(text)) << text << "\n" << frame.error().explanation;
    }
  }
}

}  // namespace
}  // namespace relay
