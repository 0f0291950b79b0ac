#include "storage/pending_writes.hpp"

#include "storage/cursor.hpp"

#include <gtest/gtest.h>

namespace relay::storage {
namespace {

Write message(std::int64_t session, Sequence sequence, std::size_t size = 100,
              std::uint32_t segment = 0) {
  MessagesWrite write{{session, {}}, {}, {segment, 0, segment == 0 ? 0U : 100U}, {}};
  write.summary.first = write.summary.last = sequence;
  if (segment == 0) write.entry = std::string(size, 'x');
  return write;
}

std::string text(const PendingWrites& writes) {
  std::string all;
  for (const auto& entry : writes.entries()) {
    if (const auto* one = std::get_if<MessagesWrite>(&entry.write)) {
      all += "m" + std::to_string(one->session.number) + ":" + std::to_string(one->summary.first) +
             " ";
    } else if (const auto* gap = std::get_if<GapWrite>(&entry.write)) {
      all += "gap" + std::to_string(gap->session.number) + ":" + std::to_string(gap->gap.from) +
             "-" + std::to_string(gap->gap.to) + " ";
    } else {
      all += "session ";
    }
  }
  return all;
}

TEST(PendingWrites, KeepsEverythingUpToTheLimitItself) {
  PendingWrites writes;
  for (int count = 1; count <= 3; ++count) writes.push(message(1, count), 1);
  EXPECT_EQ(writes.give_up(writes.bytes()), 0u);
  EXPECT_EQ(text(writes), "m1:1 m1:2 m1:3 ");
  EXPECT_GT(writes.give_up(writes.bytes() - 1), 0u);
}

TEST(PendingWrites, GivesUpTheOldestMessagesAsOneGapASession) {
  PendingWrites writes;
  writes.push(std::make_unique<SessionCreate>(), 1);
  std::uint64_t order = 1;
  for (int count = 1; count <= 20; ++count) {
    writes.push(message(1 + count % 2, count, 10'000), ++order);
  }
  EXPECT_EQ(writes.give_up(35'000), 17u);
  EXPECT_EQ(text(writes),
            "session gap1:2-2 gap1:4-4 gap1:6-6 gap1:8-8 gap1:10-10 gap1:12-12 gap1:14-14 "
            "gap1:16-16 gap2:1-1 gap2:3-3 gap2:5-5 gap2:7-7 gap2:9-9 gap2:11-11 gap2:13-13 "
            "gap2:15-15 gap2:17-17 m1:18 m2:19 m1:20 ");
  EXPECT_LE(writes.bytes(), 35'000u);
}

TEST(PendingWrites, GivesUpTheAuditTrailAfterAllMessagesAndItsOldestRowsFirst) {
  PendingWrites writes;
  std::uint64_t order = 0;
  for (int count = 1; count <= 3; ++count) {
    auto row = std::make_unique<AuditWrite>();
    row->record.detail = std::string(10'000, static_cast<char>('0' + count));
    writes.push(std::move(row), ++order);
    writes.push(message(1, count, 10'000), ++order);
  }
  EXPECT_EQ(writes.give_up(35'000), 3u);
  EXPECT_EQ(text(writes), "session session session gap1:1-3 ");
  EXPECT_EQ(writes.give_up(15'000), 2u);
  EXPECT_EQ(text(writes), "session gap1:1-3 ");
  const auto& left = std::get<std::unique_ptr<AuditWrite>>(writes.entries()[0].write);
  EXPECT_EQ(left->record.detail.front(), '3');
}

TEST(PendingWrites, GivesUpWhatIsInTheJournalLast) {
  PendingWrites writes;
  for (int count = 1; count <= 6; ++count)
    writes.push(message(1, count, 10'000, count % 2 == 0 ? 0 : 7), 1);
  EXPECT_EQ(writes.journal_bytes(), 300u);
  EXPECT_EQ(writes.give_up(15'000), 2u);
  EXPECT_EQ(writes.journal_bytes(), 300u);
  EXPECT_EQ(text(writes), "m1:1 m1:3 gap1:2-2 gap1:4-4 m1:5 m1:6 ");
  EXPECT_EQ(writes.give_up(1), 4u);
  EXPECT_EQ(text(writes), "gap1:1-6 ");
  EXPECT_EQ(writes.journal_bytes(), 0u);
}

TEST(PendingWrites, KeepsThePlacesOfWhatItGivesUp) {
  PendingWrites writes;
  for (std::uint32_t count = 1; count <= 6; ++count) {
    if (count == 4) {
      EXPECT_EQ(writes.give_up(1), 3u);
    }
    Write one = message(1 + count % 2, count);
    set_place(one, {count == 6 ? 8U : 7U, 100 * count, 100});
    writes.push(std::move(one), count);
  }
  EXPECT_EQ(writes.give_up(1), 3u);
  EXPECT_EQ(text(writes), "gap1:2-2 gap1:4-4 gap1:6-6 gap2:1-1 gap2:3-3 gap2:5-5 ");
  const auto& places = std::get<GapWrite>(writes.entries()[0].write).places;
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].segment, 7u);
  EXPECT_EQ(places[0].offset, 100u);
  EXPECT_EQ(places[0].size, 500u) << "side by side, whatever session they are of";
  EXPECT_EQ(places[1].segment, 8u);
  writes.pop(6);
  EXPECT_EQ(writes.bytes(), 0u);
}

TEST(PendingWrites, LetsGapsGrowWithFurtherLosses) {
  PendingWrites writes;
  for (int count = 1; count <= 10; ++count) writes.push(message(1, count, 10'000), 1);
  EXPECT_EQ(writes.give_up(52'000), 6u);
  EXPECT_EQ(text(writes), "gap1:1-6 m1:7 m1:8 m1:9 m1:10 ");
  EXPECT_EQ(writes.give_up(0), 4u);
  EXPECT_EQ(text(writes), "gap1:1-10 ");
}

TEST(PendingWrites, DropsOutdatedStatesOfSessionsLast) {
  PendingWrites writes;
  for (int count = 1; count <= 4; ++count) {
    auto change = std::make_unique<SessionChange>();
    change->record.id = SessionId("s");
    change->record.title = std::to_string(count);
    change->places = {EntryPlace{1, static_cast<std::uint32_t>(100 * count), 100}};
    writes.push(std::move(change), 1);
    Write use = std::make_unique<UseWrite>(UseWrite{SessionId("s"), std::to_string(count)});
    set_place(use, {2, static_cast<std::uint32_t>(100 * count), 100});
    writes.push(std::move(use), 1);
  }
  EXPECT_EQ(writes.give_up(0), 0u);
  ASSERT_EQ(writes.size(), 2u);
  const auto& use = std::get<std::unique_ptr<UseWrite>>(writes.entries()[1].write);
  EXPECT_EQ(use->upstream_use, "4");
  EXPECT_EQ(use->places.size(), 4u);
  EXPECT_EQ(use->places.front().offset, 400u);
  const auto& last = std::get<std::unique_ptr<SessionChange>>(writes.entries()[0].write);
  EXPECT_EQ(last->record.title, "4");
  EXPECT_EQ(last->places.size(), 4u) << "those of what is outdated, too";
  EXPECT_EQ(last->places.front().offset, 400u) << "its own is the first";
  writes.pop(2);
  EXPECT_EQ(writes.bytes(), 0u);
}

// Else a relay that is killed between two groups has the ones without the other.
TEST(PendingWrites, GroupMessagesWithHowFarTheAgentHasCome) {
  PendingWrites writes;
  for (std::uint64_t order = 1; order <= 5; order += 2) {
    writes.push(message(1, static_cast<Sequence>(order), 1000), order);
    writes.push(ProgressWrite{{1, {}}, {{900, 7, 8}, 0, 0}}, order + 1);
  }
  EXPECT_EQ(writes.group(1, 1u << 20).size(), 2u);
  EXPECT_EQ(writes.group(3, 1u << 20).size(), 4u);
  EXPECT_EQ(writes.group(100, 1).size(), 2u);
  EXPECT_EQ(writes.group(100, 1u << 20).size(), 6u);
}

TEST(PendingWrites, GroupsByRowsAndBytesWithAtLeastOne) {
  PendingWrites writes;
  for (int count = 1; count <= 5; ++count) writes.push(message(1, count, 1000), 1);
  const std::size_t one = writes.bytes() / 5;
  EXPECT_EQ(writes.group(3, 1u << 20).size(), 3u);
  EXPECT_EQ(writes.group(100, 2 * one).size(), 2u);
  EXPECT_EQ(writes.group(100, 2 * one - 1).size(), 1u);
  EXPECT_EQ(writes.group(100, 1).size(), 1u);
  writes.pop(4);
  EXPECT_EQ(text(writes), "m1:5 ");
  EXPECT_EQ(writes.bytes(), one);
  writes.pop(1);
  EXPECT_EQ(writes.bytes(), 0u);
}

TEST(PendingWrites, TakesInOrder) {
  PendingWrites held, queued;
  queued.push(message(1, 1), 1);
  held.take(queued);
  queued.push(message(1, 2), 2);
  held.take(queued);
  EXPECT_EQ(text(held), "m1:1 m1:2 ");
  EXPECT_TRUE(queued.empty());
  EXPECT_EQ(queued.bytes(), 0u);
  held.pop(2);
  EXPECT_EQ(held.bytes(), 0u);
}

TEST(Gaps, JoinWhereTheyTouch) {
  struct Case {
    std::vector<Gap> before;
    Gap added;
    std::string expected;
  };
  for (const Case& one : {
           Case{{}, {3, 4}, "3-4 "},
           Case{{{1, 2}}, {3, 4}, "1-4 "},
           Case{{{1, 2}}, {4, 5}, "1-2 4-5 "},
           Case{{{6, 7}}, {1, 2}, "1-2 6-7 "},
           Case{{{6, 7}}, {4, 5}, "4-7 "},
           Case{{{1, 2}, {5, 6}}, {3, 4}, "1-6 "},
           Case{{{1, 9}}, {3, 4}, "1-9 "},
           Case{{{3, 4}, {8, 9}}, {1, 20}, "1-20 "},
       }) {
    std::vector<Gap> gaps = one.before;
    add_gap(gaps, one.added);
    std::string found;
    for (const Gap& gap : gaps) {
      found += std::to_string(gap.from) + "-" + std::to_string(gap.to) + " ";
    }
    EXPECT_EQ(found, one.expected);
  }
  const auto clipped = clip_gaps({{1, 3}, {5, 8}, {10, 12}}, 6, 10);
  ASSERT_EQ(clipped.size(), 2u);
  EXPECT_EQ(clipped[0].from, 6);
  EXPECT_EQ(clipped[1].to, 10);
}

TEST(Cursor, ReadsOnlyWhatItWrites) {
  EXPECT_EQ(decode_cursor(encode_cursor(1)), 1);
  EXPECT_EQ(decode_cursor(encode_cursor(9223372036854775807)), 9223372036854775807);
  for (const std::string bad : {"", "v1.", "1", "v1.0", "v1.-1", "v1.01", "v1.1 ", "v2.1",
                                "v1.9223372036854775808", "v1.1;DROP"}) {
    EXPECT_FALSE(decode_cursor(bad)) << bad;
  }
}

}  // namespace
}  // namespace relay::storage
