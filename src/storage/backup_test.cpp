#include "storage/backup.hpp"

#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class BackupTest : public LogTest {
 protected:
  static std::string refusal(const Result<BackupSize>& result) {
    return result ? std::string("none") : result.error().explanation;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  const std::string to_ = directory_.file("backup.db");
};

TEST_F(BackupTest, OfARelayThatRunsIsADatabaseOfItsOwn) {
  const auto log = open(path_);
  const std::string large(3u << 20, 'x');
  for (const char* id : {"s", "t"}) log->session_created(session_record(id, "ann"));
  for (Sequence sequence = 1; sequence <= 6; ++sequence) {
    log->record(SessionId("s"), message_record(sequence, large));
    log->record(SessionId("t"), message_record(sequence, "small"));
  }
  log->gap(SessionId("t"), {7, 8});
  wait_for(log->flush());
  const auto size = back_up(path_, to_);
  ASSERT_TRUE(size) << size.error().explanation;
  EXPECT_EQ(size->sessions, 2);
  EXPECT_EQ(size->messages, 12);
  EXPECT_EQ(size->bytes, fs::file_size(to_));
  EXPECT_EQ(fs::status(to_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  // It is of that moment, and the relay goes on.
  log->record(SessionId("t"), message_record(9, "later"));

  const TemporaryDirectory elsewhere;
  fs::rename(to_, elsewhere.file("log.db"));
  const auto restored = open(elsewhere.file("log.db"));
  EXPECT_EQ(find(*restored, "s")->owner, "ann");
  const HistoryPage page = history(*restored, "s");
  EXPECT_THAT(sequences(page), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(page.messages[5].body.view(), large);
  EXPECT_EQ(text(history(*restored, "t").gaps), "[7,8]");
  restored->session_reopened(*find(*restored, "t"));
  restored->record(SessionId("t"), message_record(9, "its own"));
  EXPECT_EQ(history(*restored, "t", 8).messages.at(0).body.view(), "its own");
}

TEST_F(BackupTest, IsTheSameRelayInTheOriginalsPlaceAndAnotherBesideIt) {
  auto log = open(path_);
  EXPECT_FALSE(log->is_backup());
  const std::string instance = log->instance_id();
  log.reset();
  ASSERT_TRUE(back_up(path_, to_));
  for (int start = 0; start < 2; ++start) {
    log = open(to_);
    EXPECT_EQ(log->instance_id(), instance);
    EXPECT_TRUE(log->is_backup());
    log.reset();
  }
  {
    const OtherRelay other(path_);
    EXPECT_NE(open(to_)->instance_id(), instance);
  }
  EXPECT_NE(open(to_)->instance_id(), instance) << "it stays what it became";
  EXPECT_EQ(open(path_)->instance_id(), instance);
}

// Its journal is that of the instance.
TEST_F(BackupTest, ThatWasUsedIsRefusedBesideTheOriginal) {
  open(path_).reset();
  for (const bool is_taken_over : {false, true}) {
    const std::string used = directory_.file(is_taken_over ? "taken.db" : "used.db");
    ASSERT_TRUE(back_up(path_, used));
    {
      const auto log = open(used);
      if (is_taken_over) {
        EXPECT_TRUE(wait_for(log->take_over()));
      } else {
        log->session_created(session_record("s"));
        log->record(SessionId("s"), message_record(1));
      }
    }
    {
      const OtherRelay other(path_);
      EXPECT_ANY_THROW(open(used));
    }
    EXPECT_EQ(open(used)->is_backup(), !is_taken_over);
  }
}

TEST_F(BackupTest, HasAGapWhereTheJournalIsGone) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    log->record(SessionId("s"), message_record(1));
  }
  for (const std::string& file : journal_files(path_)) fs::remove(file);
  const auto size = back_up(path_, to_);
  ASSERT_TRUE(size);
  EXPECT_EQ(size->messages, 0);
  const auto restored = open(to_);
  EXPECT_THAT(history(*restored, "s").messages, IsEmpty());
  EXPECT_EQ(text(history(*restored, "s").gaps), "[1,1]");
}

// While it lives no connection that is opened takes longer values or rows.
class ShortRows {
 public:
  static constexpr std::size_t kLimit = 20'000;

  ShortRows() { sqlite3_auto_extension(entry()); }
  ShortRows(const ShortRows&) = delete;
  ShortRows& operator=(const ShortRows&) = delete;
  ~ShortRows() { sqlite3_cancel_auto_extension(entry()); }

 private:
  static int limit(sqlite3* database, char**, const void*) {
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, int{kLimit});
    return SQLITE_OK;
  }
  static void (*entry())() { return reinterpret_cast<void (*)()>(&limit); }
};

// The journal takes more than a row of a database.
TEST_F(BackupTest, HasAGapWhereAMessageIsTooLarge) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    Sequence sequence = 0;
    for (const std::size_t size : {std::size_t{100}, ShortRows::kLimit, std::size_t{100}}) {
      log->record(SessionId("s"), message_record(++sequence, std::string(size, 'x')));
      wait_for(log->flush());  // a row each
    }
  }
  {
    const ShortRows limit;
    const auto size = back_up(path_, to_);
    ASSERT_TRUE(size) << size.error().explanation;
    EXPECT_EQ(size->messages, 2);
    EXPECT_THAT(size->lost, ElementsAre(HasSubstr("messages 2 to 2 of the session s")));
  }
  const auto restored = open(to_);
  EXPECT_THAT(sequences(history(*restored, "s")), ElementsAre(1, 3));
  EXPECT_EQ(text(history(*restored, "s").gaps), "[2,2]");
}

// Of messages that lie together.
TEST_F(BackupTest, CountsWhatItHas) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    Sequence sequence = 0;
    for (const char* word : {"first", "second", "third"}) {
      log->record(SessionId("s"), message_record(++sequence, word));
    }
  }
  const std::string file = journal_files(path_).at(0);
  const std::size_t place = content_of(file).find("second");
  ASSERT_NE(place, std::string::npos);
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(place))
      .write("broken", 6);
  const auto size = back_up(path_, to_);
  ASSERT_TRUE(size) << size.error().explanation;
  EXPECT_EQ(size->messages, 2);
  const std::string again = directory_.file("again.db");
  const auto size_again = back_up(to_, again);
  ASSERT_TRUE(size_again) << size_again.error().explanation;
  EXPECT_EQ(size_again->messages, 2);
  const auto restored = open(again);
  EXPECT_THAT(sequences(history(*restored, "s")), ElementsAre(1, 3));
  EXPECT_EQ(text(history(*restored, "s").gaps), "[2,2]");
}

// Else it would be a backup without them.
TEST_F(BackupTest, IsRefusedWhileTheJournalCanNotBeRead) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    log->record(SessionId("s"), message_record(1));
  }
  const std::string file = journal_files(path_).at(0);
  {
    const Unopenable journal(file);
    EXPECT_THAT(refusal(back_up(path_, to_)), HasSubstr(file));
  }
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    EXPECT_FALSE(entry.path().string().ends_with(".part")) << entry.path();
  }
  const auto size = back_up(path_, to_);
  ASSERT_TRUE(size);
  EXPECT_EQ(size->messages, 1);
}

TEST_F(BackupTest, IsRefusedWithACauseAndLeavesNothing) {
  EXPECT_THAT(refusal(back_up(path_, to_)), HasSubstr("there is no database " + path_));
  { const auto log = open(path_); }
  EXPECT_THAT(refusal(back_up(path_, directory_.file("missing/backup.db"))), HasSubstr("missing"));
  std::ofstream(to_) << "of somebody";
  EXPECT_THAT(refusal(back_up(path_, to_)), HasSubstr(to_ + ": File exists"));
  EXPECT_EQ(content_of(to_), "of somebody");
  std::ofstream(directory_.file("text")) << "just a text";
  EXPECT_THAT(refusal(back_up(directory_.file("text"), directory_.file("other"))),
              HasSubstr("not a database"));
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    EXPECT_FALSE(entry.path().string().ends_with(".part")) << entry.path();
  }
  EXPECT_FALSE(fs::exists(directory_.file("other")));
}

}  // namespace
}  // namespace relay::storage
