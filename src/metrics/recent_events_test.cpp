#include "metrics/recent_events.hpp"

#include <gmock/gmock.h>

namespace relay::metrics {
namespace {

using ::testing::EndsWith;
using ::testing::Not;
using ::testing::SizeIs;

AgentEvent event_with(std::string text) {
  AgentEvent event;
  event.text = std::move(text);
  return event;
}

WallTime at(int milliseconds) { return WallTime(std::chrono::milliseconds(milliseconds)); }

TEST(RecentEvents, KeepsTheNewest) {
  RecentEvents recent;
  for (std::size_t i = 0; i < RecentEvents::kKept + 5; ++i) {
    recent.note(event_with(std::to_string(i)));
    recent.note_error(make_error(ErrorType::kInternalError, std::to_string(i)), "s");
  }
  ASSERT_THAT(recent.agents(), SizeIs(RecentEvents::kKept));
  EXPECT_EQ(recent.agents().front().text, "5");
  EXPECT_EQ(recent.agents().back().text, "104");
  ASSERT_THAT(recent.errors(), SizeIs(RecentEvents::kKept));
  EXPECT_EQ(recent.errors().front().text, "5");
}

TEST(RecentEvents, CountsAnErrorThatComesAgainAndAgain) {
  RecentEvents recent;
  const Error refused = make_error(ErrorType::kUnauthorized, "this token is not known");
  recent.note_error(refused, "", at(1));
  recent.note_error(refused, "", at(2));
  recent.note_error(refused, "sess_1", at(3));
  recent.note_error(make_error(ErrorType::kForbidden, refused.explanation), "sess_1", at(4));
  recent.note_error(refused, "", at(5));
  ASSERT_THAT(recent.errors(), SizeIs(4));
  EXPECT_EQ(recent.errors()[0].times, 2U);
  EXPECT_EQ(recent.errors()[0].time, at(2));
  EXPECT_EQ(recent.errors()[1].session, "sess_1");
  EXPECT_EQ(recent.errors()[3].times, 1U);
}

TEST(RecentEvents, TakesTheSessionFromTheErrorWhereNobodyNamesIt) {
  RecentEvents recent;
  const Error error =
      make_error(ErrorType::kSessionNotFound, "no session").with("session_id", "sess_\n7");
  recent.note_error(error, "");
  recent.note_error(error, "sess_1");
  EXPECT_EQ(recent.errors()[0].session, "sess_ 7");
  EXPECT_EQ(recent.errors()[1].session, "sess_1");
}

TEST(RecentEvents, KeepsOneLineOfBoundedLength) {
  struct Case {
    std::string text;
    std::string kept;
  };
  const std::string longest(RecentEvents::kMaxText, 'x');
  const Case cases[] = {
      {"", ""},
      {"one\ntwo\r\n\tthree", "one two   three"},
      {longest, longest},
      {longest + "y", longest.substr(3) + "..."},
      {"a\xFFz", "a\xEF\xBF\xBDz"},
  };
  for (const Case& row : cases) {
    RecentEvents recent;
    recent.note(event_with(row.text));
    EXPECT_EQ(recent.agents().back().text, row.kept);
  }
}

TEST(RecentEvents, CutsNoCharacterInTwo) {
  for (std::size_t offset = 0; offset < 4; ++offset) {
    std::string text(offset, 'x');
    while (text.size() <= RecentEvents::kMaxText) text += "\xE2\x82\xAC";
    RecentEvents recent;
    recent.note(event_with(text));
    std::string kept = recent.agents().back().text;
    ASSERT_THAT(kept, EndsWith("..."));
    kept.resize(kept.size() - 3);
    EXPECT_EQ((kept.size() - offset) % 3, 0U) << offset;
    EXPECT_LE(kept.size(), RecentEvents::kMaxText);
  }
}

TEST(RecentEvents, RedactsBeforeItCuts) {
  RecentEvents recent;
  recent.redact_with([](std::string_view text) {
    std::string out(text);
    const std::size_t place = out.find("hush-hush");
    if (place != std::string::npos) out.replace(place, 9, "***");
    return out;
  });
  const std::string text = std::string(RecentEvents::kMaxText - 5, 'x') + "hush-hush";
  recent.note(event_with(text));
  recent.note_error(make_error(ErrorType::kInternalError, text), "");
  for (const std::string& kept : {recent.agents().back().text, recent.errors().back().text}) {
    EXPECT_THAT(kept, EndsWith("***"));
    EXPECT_THAT(kept, Not(::testing::HasSubstr("hush")));
  }
}

}  // namespace
}  // namespace relay::metrics
