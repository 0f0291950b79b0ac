#include "storage/journal.hpp"

#include "storage/journal_codec.hpp"
#include "storage/journal_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

TEST_F(JournalTest, BringsBackWhatTheDatabaseNeverGot) {
  const auto log = open_slow(path_);
  SessionRecord session = session_record("s", "ann");
  session.agent_profile = R"({"protocolVersion":1})";
  log->session_created(session);
  std::vector<MessageRecord> messages{message_record(1, "one"), message_record(2, "two")};
  log->record(kSession, messages, {{900, 7, 8}, 2, 3});
  log->record(kSession, std::span<MessageRecord>(), {{}, 5, 4});
  log->gap(kSession, {3, 4});
  session.title = "Named";
  session.agent_settings = R"({"modes":1})";
  log->session_changed(session);
  log->session_used(kSession, R"({"own":{"tokens":3}})");
  log->session_used(kSession, R"({"own":{"tokens":6}})");
  log->session_created(session_record("other"));
  log->session_closed(SessionId("other"), "idle", wall_now());

  const auto again = open(killed(path_));
  const auto found = find(*again, "s");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "Named");
  EXPECT_EQ(found->owner, "ann");
  EXPECT_EQ(found->agent_profile, R"({"protocolVersion":1})");
  EXPECT_EQ(found->agent_settings, R"({"modes":1})");
  EXPECT_EQ(found->upstream_use, R"({"own":{"tokens":6}})");
  EXPECT_EQ(found->last_sequence, 4);
  EXPECT_EQ(found->progress.output.bytes, 900u);
  EXPECT_EQ(found->progress.output.first_line, 7u);
  EXPECT_EQ(found->progress.output.last_line, 8u);
  EXPECT_EQ(found->progress.input, 5);
  EXPECT_EQ(found->progress.prompt, 4);
  EXPECT_FALSE(found->closed_at);
  EXPECT_EQ(find(*again, "other")->cause, "idle");
  const HistoryPage page = history(*again, "s");
  EXPECT_THAT(sequences(page), ElementsAre(1, 2));
  EXPECT_EQ(page.messages[1].body.view(), "two");
  EXPECT_EQ(text(page.gaps), "[3,4]");
}

TEST_F(JournalTest, WritesOnceWhatIsInBoth) {
  const auto log = open(path_);
  log->session_created(session_record("s"));
  for (Sequence sequence = 1; sequence <= 3; ++sequence) {
    log->record(kSession, message_record(sequence));
  }
  wait_for(log->flush());
  log->record(kSession, message_record(4));
  const std::string copy = killed(path_);
  for (int start = 0; start < 3; ++start) {
    const auto again = open(copy);
    EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1, 2, 3, 4));
  }
  EXPECT_EQ(journal_files(copy).size(), 1u);
}

// The file is an older copy of itself: what it lacks is missing, and no more.
// Those who write are held back beyond a quarter of max_pending_bytes.
TEST_F(JournalTest, TellsForHowLongThoseWhoWriteHaveBeenHeldBack) {
  const std::string body(100'000, 'x');
  std::size_t room = 0;
  for (const bool is_measured : {false, true}) {
    LogOptions options;
    options.path = directory_.file(is_measured ? "second.db" : "first.db");
    options.group_commit = std::chrono::hours(1);
    if (is_measured) options.max_pending_bytes = 4 * room;
    const auto log = open(options);
    log->session_created(session_record("s"));
    for (Sequence sequence = 1; sequence <= 3; ++sequence) {
      log->record(kSession, message_record(sequence, body));
    }
    room = log->backlog();
    if (!is_measured) continue;
    EXPECT_EQ(room, options.max_pending_bytes / 4);
    EXPECT_EQ(log->status().held_back_for.count(), 0);
    log->record(kSession, message_record(4, "{}"));
    const auto held = log->status().held_back_for;
    EXPECT_TRUE(eventually([&] { return log->status().held_back_for > held; }));
    wait_for(log->flush());
    EXPECT_TRUE(eventually([&] { return log->status().held_back_for.count() == 0; }));
  }
}

TEST_F(JournalTest, ChangesNothingThatTheDatabaseHasInALaterState) {
  const auto log = open(path_);
  SessionRecord session = session_record("s");
  log->session_created(session);
  std::vector<MessageRecord> messages{message_record(1)};
  log->record(kSession, messages, {{900, 7, 8}, 1, 1});
  const std::string earlier = content_of(journal_files(path_).at(0));
  session.title = "Named";
  log->session_changed(session);
  messages = {message_record(2)};
  log->record(kSession, messages, {{1800, 7, 9}, 2, 2});
  log->session_created(session_record("gone"));
  log->session_closed(SessionId("gone"), "idle", wall_now());
  wait_for(log->flush());

  const std::string copy = killed(path_);
  std::ofstream(journal_files(copy).at(0), std::ios::binary) << earlier;
  const auto again = open(copy);
  const auto found = find(*again, "s");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "Named");
  EXPECT_EQ(found->progress.output.bytes, 1800u);
  EXPECT_EQ(found->progress.input, 2);
  EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1));
  EXPECT_EQ(text(history(*again, "s").gaps), "[2,2]");
  EXPECT_EQ(find(*again, "gone")->cause, "idle");
  // Later writes count on from there, also when this run is killed.
  again->record(kSession, message_record(3));
  EXPECT_THAT(sequences(history(*open(killed(copy)), "s")), ElementsAre(1, 3));
}

TEST_F(JournalTest, CountsRunsAndLeavesNothingBehindAnOrderlyEnd) {
  for (std::int64_t run = 1; run <= 3; ++run) {
    auto log = open(path_);
    EXPECT_EQ(log->run(), run);
    log->session_created(session_record("s" + std::to_string(run)));
    EXPECT_EQ(journal_files(path_).size(), 1u);
    log.reset();
    EXPECT_THAT(journal_files(path_), IsEmpty());
  }
}

TEST_F(JournalTest, LeavesOutAnEntryThatIsNotWhole) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  const std::string whole = entries_in(journal_files(path_).at(0));
  log->record(kSession, message_record(2));
  const std::string longer = entries_in(journal_files(path_).at(0));
  ASSERT_GT(longer.size(), whole.size());
  for (std::size_t size = whole.size(); size < longer.size(); ++size) {
    const std::string copy = killed(path_);
    fs::resize_file(journal_files(copy).at(0), size);
    const auto again = open(copy);
    ASSERT_THAT(sequences(history(*again, "s")), ElementsAre(1)) << size;
  }
  // A byte that is not what was written.
  const std::string copy = killed(path_);
  {
    std::fstream file(journal_files(copy).at(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(whole.size() + 20));
    file.put('\x55');
  }
  EXPECT_THAT(sequences(history(*open(copy), "s")), ElementsAre(1));
}

// A relay that is killed between making a file, or renaming it, and writing its head.
TEST_F(JournalTest, TakesAFileThatWasNotBegunForAnEmptyOne) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  const std::string copy = killed(path_);
  const std::string first = copy + ".journal.1";
  std::ofstream(copy + ".journal.3").flush();
  std::ofstream(copy + ".journal.4") << std::string(5000, '\0');
  const auto again = open(copy);
  EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1));
  EXPECT_THAT(journal_files(copy), ElementsAre(first));
  again->session_created(session_record("t"));
  EXPECT_THAT(journal_files(copy), ElementsAre(first, copy + ".journal.5"));
}

TEST_F(JournalTest, TurnsNumbersThatNobodyHasIntoAGap) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  log->record(kSession, message_record(5));
  const HistoryPage page = history(*open(killed(path_)), "s");
  EXPECT_THAT(sequences(page), ElementsAre(1, 5));
  EXPECT_EQ(text(page.gaps), "[2,4]");
}

TEST_F(JournalTest, PutsTheJournalOfAnotherDatabaseAside) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  const std::string copy = killed(path_);
  for (const char* suffix : {"", "-wal"}) fs::remove(copy + suffix);
  const auto again = open(copy);
  EXPECT_FALSE(find(*again, "s"));
  EXPECT_TRUE(fs::exists(copy + ".journal.1.foreign"));
}

// Else what it has would count as read.
TEST_F(JournalTest, RefusesAStartThatCanNotReadIt) {
  auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  LogOptions options;
  options.path = killed(path_);
  log.reset();
  const std::string file = options.path + ".journal.1";
  const std::string content = content_of(file);
  const auto refusal = [&]() -> std::string {
    const auto refused = SqliteLog::open(loop_.get_executor(), options, Logger::silent());
    return refused ? "none" : refused.error().explanation;
  };
  const std::string cause = "cannot read the journal " + file + ": ";
  {
    const Unreadable journal(file);
    EXPECT_THAT(refusal(), testing::HasSubstr(cause + "Input/output error"));
  }
  {
    const Unopenable journal(file);
    EXPECT_THAT(refusal(), testing::HasSubstr(cause));
  }
  EXPECT_EQ(content_of(file), content);
  EXPECT_THAT(sequences(history(*open(options.path), "s")), ElementsAre(1));
  const auto unknown = journal_segments(directory_.file("missing/log.db"));
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().explanation, testing::HasSubstr(directory_.file("missing")));
}

TEST_F(JournalTest, SaysWhenItCanNotBeWrittenAndGoesOn) {
  const std::string in_the_way = path_ + ".journal.1";
  fs::create_directory(in_the_way);
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  EXPECT_FALSE(log->status().writable);
  EXPECT_THAT(log->status().last_error, testing::HasSubstr(in_the_way));
  Sequence next = 1;
  EXPECT_TRUE(eventually([&] {
    log->record(kSession, message_record(next++));
    return log->status().writable;
  }));
  EXPECT_EQ(find(*log, "s")->last_sequence, next - 1);
}

// A journal alone, and entries of a chosen size.
class JournalAlone : public JournalTest {
 protected:
  // `size`: of the entry.
  bool append(std::size_t size) { return append(journal_, size); }
  bool append(Journal& journal, std::size_t size) {
    const Progress progress;
    std::vector<MessageRecord> messages{message_record(1, "")};
    const std::size_t rest = encoded_size(MessageBatch{kSession, messages, progress});
    // The length of the body is a number of one byte to four.
    messages[0].body = SharedBytes(std::string(size - rest, 'x'));
    const std::size_t more = encoded_size(MessageBatch{kSession, messages, progress}) - size;
    messages[0].body = SharedBytes(std::string(size - rest - more, 'x'));
    return journal.append(MessageBatch{kSession, messages, progress}, ++order_).has_value();
  }

  Journal journal_{path_, "instance", 1, 4 * Journal::kSegmentBytes, Logger::silent()};
  const std::size_t room_ = Journal::kSegmentBytes - journal_head("instance", 1).size();
  std::uint64_t order_ = 0;
};

TEST_F(JournalAlone, FillsAFileToItsLastByte) {
  ASSERT_TRUE(append(1000));
  ASSERT_TRUE(append(room_ - 1000));
  EXPECT_THAT(journal_.take_full(), IsEmpty());
  EXPECT_EQ(entries_in(path_ + ".journal.1").size(), Journal::kSegmentBytes);
  ASSERT_TRUE(append(1000));
  const std::vector<JournalSegment> full = journal_.take_full();
  ASSERT_EQ(full.size(), 1u);
  EXPECT_EQ(full[0].path(), path_ + ".journal.1");
  EXPECT_THAT(journal_.take_full(), IsEmpty());
}

TEST_F(JournalAlone, GivesBackTheRoomThatIsLeft) {
  ASSERT_TRUE(append(1000));
  journal_.close();
  for (JournalSegment& segment : journal_.take_full()) journal_.ended(std::move(segment));
  EXPECT_EQ(fs::file_size(path_ + ".journal.1"), Journal::kSegmentBytes - room_ + 1000);
}

TEST_F(JournalAlone, HasALargerFileForALargerEntry) {
  ASSERT_TRUE(append(room_ + 1));
  ASSERT_TRUE(append(1000));
  EXPECT_EQ(fs::file_size(path_ + ".journal.1"), Journal::kSegmentBytes + 1);
  EXPECT_EQ(entries_in(path_ + ".journal.1").size(), Journal::kSegmentBytes + 1);
  std::vector<JournalSegment> full = journal_.take_full();
  ASSERT_EQ(full.size(), 1u);
}

TEST_F(JournalAlone, IsBoundedAndGoesOnWhenTheDatabaseTakesIt) {
  std::size_t taken = 0;
  while (append(room_ / 2)) ASSERT_LT(++taken, 100u);
  EXPECT_EQ(taken, 8u);
  EXPECT_THAT(journal_.failure(), testing::HasSubstr("the database does not take"));
  EXPECT_EQ(journal_files(path_).size(), 4u);
  for (JournalSegment& segment : journal_.take_full()) journal_.ended(std::move(segment));
  EXPECT_TRUE(eventually([&] { return append(1000); }));
  EXPECT_THAT(journal_.failure(), IsEmpty());
  EXPECT_EQ(journal_files(path_).size(), 5u);
}

TEST_F(JournalAlone, TakesAnEntryThatIsLargerThanAllThatMayWait) {
  Journal journal(path_, "instance", 1, 0, Logger::silent());
  EXPECT_TRUE(append(journal, 3 * Journal::kSegmentBytes));
  EXPECT_FALSE(append(journal, room_));
}

TEST_F(JournalAlone, TakesALargeEntryWhereLittleWaits) {
  Journal journal(path_, "instance", 1, 0, Logger::silent());
  ASSERT_TRUE(append(journal, 1000));
  EXPECT_TRUE(append(journal, 3 * Journal::kSegmentBytes));
  std::vector<JournalSegment> full = journal.take_full();
  ASSERT_EQ(full.size(), 2u) << "the large one's is full with it";
  for (JournalSegment& segment : full) journal.ended(std::move(segment));
  EXPECT_TRUE(append(journal, 1000));
  EXPECT_THAT(journal.failure(), IsEmpty());
}

TEST_F(JournalAlone, KeepsTwoFilesAtLeast) {
  Journal journal(path_, "instance", 1, 0, Logger::silent());
  EXPECT_TRUE(append(journal, room_));
  EXPECT_TRUE(append(journal, room_));
  EXPECT_FALSE(append(journal, room_));
}

TEST_F(JournalTest, HoldsNoSecret) {
  LogOptions options;
  options.path = path_;
  options.group_commit = std::chrono::hours(1);
  options.redact = [](std::string_view body) -> std::optional<std::string> {
    const std::size_t at = body.find("hunter2");
    if (at == std::string_view::npos) return std::nullopt;
    return std::string(body.substr(0, at)) + "***";
  };
  const auto log = open(std::move(options));
  SessionRecord session = session_record("s");
  session.title = "about hunter2";
  session.agent_settings = R"({"key":"hunter2"})";
  log->session_created(session);
  log->session_changed(session);
  log->record(kSession, message_record(1, "the word is hunter2"));
  EXPECT_THAT(content_of(journal_files(path_).at(0)), testing::Not(testing::HasSubstr("hunter2")));
  EXPECT_EQ(history(*log, "s").messages.at(0).body.view(), "the word is ***");
}

TEST_F(JournalTest, KnowsWhichCallsAreOpen) {
  const auto log = open(path_);
  log->session_created(session_record("s"));
  std::vector<MessageRecord> messages{
      call(1, MessageKind::kRequest, 11),  call(2, MessageKind::kRequest, 12),
      call(3, MessageKind::kResponse, 11), call(4, MessageKind::kRequest, 13),
      call(5, MessageKind::kResponse, 13), call(6, MessageKind::kRequest, 14),
      call(7, MessageKind::kResponse, 14)};
  for (const std::size_t asked : {3u, 5u}) {
    messages[asked].origin = Origin::kAgent;
    messages[asked].peer_id = R"("of the agent")";
    messages[asked].to_client = true;
    messages[asked + 1].to_client = false;
  }
  log->record(kSession, messages, {{}, 5, 12});
  wait_for(log->flush());
  const auto calls = wait_for(log->open_calls(kSession));
  ASSERT_TRUE(calls);
  ASSERT_EQ(calls->requests.size(), 1u);
  EXPECT_EQ(calls->requests[0].call, 12);
  EXPECT_EQ(calls->requests[0].body.view(), R"({"n":2})");
  ASSERT_EQ(calls->unsent_answers.size(), 1u);
  EXPECT_EQ(calls->unsent_answers[0].sequence, 7);
  EXPECT_EQ(calls->unsent_answers[0].peer_id, R"("of the agent")");
}

TEST_F(JournalTest, ForgetsCallsOfAnEarlierLife) {
  const auto log = open(path_);
  SessionRecord session = session_record("s");
  log->session_created(session);
  std::vector<MessageRecord> messages{call(1, MessageKind::kRequest, 11)};
  log->record(kSession, messages, {{}, 1, 11});
  log->session_closed(kSession, "idle", wall_now());
  session.last_sequence = 1;
  log->session_reopened(session);
  messages = {call(2, MessageKind::kRequest, 12)};
  log->record(kSession, messages, {{}, 1, 12});
  wait_for(log->flush());
  const auto calls = wait_for(log->open_calls(kSession));
  ASSERT_TRUE(calls);
  ASSERT_EQ(calls->requests.size(), 1u);
  EXPECT_EQ(calls->requests[0].call, 12);
}

}  // namespace
}  // namespace relay::storage
