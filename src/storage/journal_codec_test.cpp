#include "storage/journal_codec.hpp"

#include "storage/extent.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <limits>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SessionId kCoded("s");

std::string encoded(const EntryView& entry) {
  std::string bytes(encoded_size(entry), '\0');
  encode(entry, 1, bytes);
  return bytes;
}

TEST(JournalCodec, ReadsNothingFromBytesThatAreNoEntry) {
  const std::string entry = encoded(SessionGap{kCoded, {1, 2}});
  for (std::size_t size = 0; size < entry.size(); ++size) {
    std::string_view bytes = std::string_view(entry).substr(0, size);
    EXPECT_FALSE(next_entry(bytes)) << size;
    EXPECT_EQ(bytes.size(), size);
  }
  std::string_view bytes = entry;
  ASSERT_TRUE(next_entry(bytes));
  EXPECT_TRUE(bytes.empty());
  for (std::size_t at = 0; at < entry.size(); ++at) {
    std::string changed = entry;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    std::string_view view = changed;
    const auto read = next_entry(view);
    EXPECT_TRUE(!read || read->writes.empty()) << at;
  }
}

TEST(JournalCodec, TellsTheEndFromAnEntryThatWasTorn) {
  EXPECT_TRUE(is_journal_end(""));
  EXPECT_TRUE(is_journal_end(std::string_view("\0\0", 2)));
  EXPECT_TRUE(is_journal_end(std::string_view("\0\0\0\0what was there", 18)));
  EXPECT_FALSE(is_journal_end(std::string_view("\0\1", 2)));
  EXPECT_FALSE(is_journal_end(encoded(SessionGap{kCoded, {1, 2}})));
}

TEST(JournalCodec, GivesBackEveryPartOfAMessage) {
  const auto at = [](std::int64_t time) { return WallTime(std::chrono::milliseconds(time)); };
  std::vector<MessageRecord> messages(3);
  messages[0] = {7,
                 Origin::kClient,
                 MessageKind::kRequest,
                 false,
                 "session/prompt",
                 "\"a b\"",
                 SharedBytes(std::string(300, 'x')),
                 at(1'700'000'000'000),
                 9,
                 ""};
  messages[1] = {8,
                 Origin::kAgent,
                 MessageKind::kRequest,
                 true,
                 "fs/read",
                 "12",
                 SharedBytes(std::string()),
                 at(0),
                 1'000'000,
                 "3"};
  messages[2] = {9,
                 Origin::kRelay,
                 MessageKind::kResponse,
                 true,
                 "",
                 "",
                 SharedBytes("\0\n"),
                 at(-1),
                 1'000'000,
                 ""};
  const std::string bytes = encoded(MessageBatch{kCoded, messages, {{900, 7, 8}, 2, 3}});
  std::vector<MessageRecord> read;
  read_messages(bytes + bytes, 0, [&](MessageRecord message) {
    read.push_back(std::move(message));
    return read.size() < 4;
  });
  ASSERT_EQ(read.size(), 4u);
  EXPECT_EQ(read[3].sequence, 7);
  std::vector<Sequence> from_eight;
  read_messages(bytes, 8, [&](const MessageRecord& message) {
    from_eight.push_back(message.sequence);
    return true;
  });
  EXPECT_THAT(from_eight, ElementsAre(8, 9));
  for (std::size_t index = 0; index < messages.size(); ++index) {
    const MessageRecord &is = read[index], &was = messages[index];
    EXPECT_EQ(is.sequence, was.sequence);
    EXPECT_EQ(is.origin, was.origin);
    EXPECT_EQ(is.kind, was.kind);
    EXPECT_EQ(is.to_client, was.to_client);
    EXPECT_EQ(is.method, was.method);
    EXPECT_EQ(is.rpc_id, was.rpc_id);
    EXPECT_EQ(is.body.view(), was.body.view());
    EXPECT_EQ(is.time, was.time);
    EXPECT_EQ(is.call, was.call);
    EXPECT_EQ(is.peer_id, was.peer_id);
  }
  std::string_view rest = bytes;
  const auto entry = next_entry(rest);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->size, bytes.size());
  ASSERT_EQ(entry->writes.size(), 2u);
  const BatchSummary& summary = std::get<MessagesWrite>(entry->writes[0]).summary;
  EXPECT_EQ(summary.first, 7);
  EXPECT_EQ(summary.last, 9);
  EXPECT_EQ(summary.requests, "7 \"a b\"\n");
  ASSERT_EQ(summary.calls.size(), 3u);
  EXPECT_FALSE(summary.calls[1].is_answer);
  EXPECT_TRUE(summary.calls[2].is_answer);
  EXPECT_EQ(std::get<ProgressWrite>(entry->writes[1]).progress.prompt, 3);
}

TEST(JournalCodec, GoesOnBehindWhatWasErased) {
  const std::string gap = encoded(SessionGap{kCoded, {1, 2}});
  std::string bytes = gap + gap + gap;
  bytes.replace(0, 8, erased_head(2 * gap.size()));
  std::string_view rest = bytes;
  auto entry = next_entry(rest);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->size, 2 * gap.size());
  EXPECT_THAT(entry->writes, IsEmpty());
  entry = next_entry(rest);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->writes.size(), 1u);
  EXPECT_TRUE(rest.empty());
}

TEST(Extents, AreJoinedWhereTheyTouchAndComeBackFromTheirBytes) {
  std::vector<Extent> extents;
  for (const Extent one : {Extent{100, 20}, {120, 5}, {200, 1}, {4'000'000'000, 200'000'000}}) {
    add_extent(extents, one);
  }
  EXPECT_THAT(extents,
              ElementsAre(Extent{100, 25}, Extent{200, 1}, Extent{4'000'000'000, 200'000'000}));
  EXPECT_EQ(unpacked(packed(extents)), extents);
  EXPECT_THAT(unpacked(""), IsEmpty());
  const std::string bytes = packed(extents);
  EXPECT_EQ(unpacked(std::string_view(bytes).substr(0, bytes.size() - 1)).size(), 2u);
}

TEST(RequestMarks, AreReadLineByLine) {
  BatchSummary summary;
  for (const char* id : {"1", "\"two words\""}) {
    MessageRecord message;
    message.sequence = summary.last + 1;
    message.origin = Origin::kClient;
    message.kind = MessageKind::kRequest;
    message.rpc_id = id;
    summary.add(message);
  }
  std::string_view rest = summary.requests;
  EXPECT_EQ(next_request(rest).id, "1");
  const RequestMark second = next_request(rest);
  EXPECT_EQ(second.sequence, 2);
  EXPECT_EQ(second.id, "\"two words\"");
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace relay::storage
