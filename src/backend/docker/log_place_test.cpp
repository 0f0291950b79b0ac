#include "backend/docker/log_place.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace relay {
namespace {

LogPlace place_behind(std::string_view bytes) {
  OutputCounter counter;
  counter.take(bytes);
  const OutputPosition& position = counter.position();
  return {position.bytes, position.first_line, position.last_line};
}

struct Skipped {
  std::string rest;
  LogSkip::State state;
};

Skipped skip(LogPlace place, std::string_view log, std::size_t step) {
  LogSkip reading(place);
  Skipped out{{}, {}};
  for (std::size_t at = 0; at < log.size(); at += step) {
    out.rest += reading.take(log.substr(at, step));
  }
  out.state = reading.state();
  return out;
}

TEST(LogSkip, GoesOnBehindThePlace) {
  struct Row {
    std::string_view taken, log, rest;
    LogSkip::State state;
  };
  const Row rows[] = {
      {"", "one\n", "one\n", LogSkip::State::kReached},
      {"one\n", "", "", LogSkip::State::kBefore},
      {"one\n", "one\n", "", LogSkip::State::kReached},
      {"one\n", "one\ntwo\nhalf", "two\nhalf", LogSkip::State::kReached},
      {"one\ntwo\n", "one\ntwo\nthree\n", "three\n", LogSkip::State::kReached},
      {"one\ntwo\n", "one\n", "", LogSkip::State::kBefore},
      // Blank lines and cut characters do not count.
      {"\none\n\n", "\none\n\ntwo\n", "\ntwo\n", LogSkip::State::kReached},
      {"h\xc3\xa9i\n", "h\xc3\xa9i\ntwo\n", "two\n", LogSkip::State::kReached},
      {"one\nx\xc3\xa9\nlast\n", "one\nx\xef\xbf\xbd\xef\xbf\xbd\nlast\ntwo\n", "two\n",
       LogSkip::State::kReached},
      // A newline that is lost ends no line; the next one begins behind the place nevertheless.
      {"one\ntwo\n", "one\ntwothree\n", "three\n", LogSkip::State::kReached},
      // Another log.
      {"one\ntwo\n", "two\nthree\n", "", LogSkip::State::kOtherLog},
      {"one\ntwo\n", "one\nother\n", "", LogSkip::State::kOtherLog},
      {"one\ntwo\n", "one\ntow\n", "", LogSkip::State::kOtherLog},
      {"one\ntwo\nthree\n", "one\nthree\nfour\nfive\n", "", LogSkip::State::kOtherLog},
  };
  for (const Row& row : rows) {
    for (std::size_t step = 1; step <= std::max<std::size_t>(1, row.log.size()); ++step) {
      const Skipped skipped = skip(place_behind(row.taken), row.log, step);
      EXPECT_EQ(skipped.state, row.state) << row.log << " by " << step;
      EXPECT_EQ(skipped.rest, row.rest) << row.log << " by " << step;
    }
  }
}

TEST(LogSearch, FindsTheLastLineThatWasRead) {
  struct Row {
    std::string_view last, log, rest;
    bool found;
  };
  const Row rows[] = {
      {"two", "", "", false},
      {"two", "tw", "", false},
      {"two", "three\nfour\n", "", false},
      {"two", "two", "", false},
      {"two", "two\n", "", true},
      {"two", "o\ntwo\nthree\n", "three\n", true},
      {"two", "two\none\ntwo\n\nthree\nfo", "\nthree\nfo", true},
  };
  for (const Row& row : rows) {
    for (std::size_t step = 1; step <= std::max<std::size_t>(1, row.log.size()); ++step) {
      LogSearch search(line_fingerprint(row.last));
      for (std::size_t at = 0; at < row.log.size(); at += step) {
        search.take(row.log.substr(at, step));
      }
      ASSERT_EQ(search.place().has_value(), row.found) << row.log << " by " << step;
      if (!row.found) continue;
      const Skipped skipped = skip(*search.place(), row.log, step);
      EXPECT_EQ(skipped.state, LogSkip::State::kReached) << row.log << " by " << step;
      EXPECT_EQ(skipped.rest, row.rest) << row.log << " by " << step;
    }
  }
}

}  // namespace
}  // namespace relay
