#include "storage/database_place.hpp"

#include "storage/database_file.hpp"
#include "storage/log_fixture.hpp"
#include "storage/open_database.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class DatabasePlaceTest : public LogTest {
 protected:
  void SetUp() override {
    log_ = open_at_path();
    log_->session_created(session_record("s"));
    record(1);
  }
  std::unique_ptr<SqliteLog> open_at_path() {
    LogOptions options;
    options.path = path_;
    options.look_period = std::chrono::milliseconds(0);
    return open(options);
  }
  void record(Sequence sequence) {
    log_->record(SessionId("s"), message_record(sequence));
    wait_for(log_->flush());
  }
  // As a relay of another database left it.
  std::string make_other(const std::string& name) {
    const std::string path = directory_.file(name);
    const auto other = open(path);
    other->session_created(session_record("other"));
    wait_for(other->flush());
    return path;
  }
  // A killed relay writes nothing at its end; what is at the path is what it leaves.
  std::vector<Sequence> stored() {
    const TemporaryDirectory copy;
    std::vector<std::string> suffixes{"", "-wal"};
    for (const std::string& file : journal_files(path_)) {
      suffixes.push_back(file.substr(path_.size()));
    }
    for (const std::string& suffix : suffixes) {
      std::error_code ignored;
      fs::copy_file(path_ + suffix, copy.file("read.db") + suffix, ignored);
    }
    const auto log = open(copy.file("read.db"));
    auto found = sequences(history(*log, "s"));
    return found;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  std::unique_ptr<SqliteLog> log_;
};

TEST_F(DatabasePlaceTest, PutsBackWhateverFileWasDeleted) {
  Sequence next = 2;
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    fs::remove(path_ + suffix);
    EXPECT_TRUE(eventually([&] {
      record(next++);
      return fs::exists(path_ + suffix);
    })) << suffix;
    record(next++);
    EXPECT_TRUE(log_->status().writable);
    const auto all = stored();
    EXPECT_EQ(all.size(), static_cast<std::size_t>(next - 1)) << suffix;
    EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  EXPECT_FALSE(fs::exists(path_ + ".restored"));
  // Nothing is left of the earlier connections, which would take the files of the new one away.
  const HistoryPage page = history(*log_, "s");
  EXPECT_EQ(page.messages.size(), static_cast<std::size_t>(next - 1));
  EXPECT_THAT(page.gaps, IsEmpty());
  EXPECT_EQ(log_->status().lost_messages, 0u);
}

TEST_F(DatabasePlaceTest, PutsBackWhatWasDeletedBeforeTheEnd) {
  const std::string instance = log_->instance_id();
  for (const auto& entry : fs::directory_iterator(directory_.path())) fs::remove(entry.path());
  log_.reset();
  log_ = open_at_path();
  EXPECT_EQ(log_->instance_id(), instance);
  EXPECT_EQ(log_->run(), 2);
  EXPECT_THAT(sequences(history(*log_, "s")), ElementsAre(1));
}

// The storage thread has not opened the journal's file yet.
TEST_F(DatabasePlaceTest, PutsBackWhatWasDeletedBeforeItWasIndexed) {
  const std::string path = directory_.file("fresh.db");
  LogOptions options;
  options.path = path;
  options.look_period = std::chrono::milliseconds(0);
  options.group_commit = std::chrono::hours(1);
  const auto fresh = open(options);
  fresh->session_created(session_record("s"));
  Sequence next = 1;
  fresh->record(SessionId("s"), message_record(next++));
  const std::string first = path + ".journal.1";
  ASSERT_TRUE(fs::remove(first));
  EXPECT_TRUE(eventually([&] {
    fresh->record(SessionId("s"), message_record(next++));
    wait_for(fresh->flush());
    return fs::exists(first);
  }));
  const HistoryPage page = history(*fresh, "s");
  EXPECT_EQ(page.messages.size(), static_cast<std::size_t>(next - 1));
  EXPECT_THAT(page.gaps, IsEmpty());
}

TEST_F(DatabasePlaceTest, PutsBackTheJournalAlone) {
  const std::string first = path_ + ".journal.1";
  fs::remove(first);
  Sequence next = 2;
  EXPECT_TRUE(eventually([&] {
    record(next++);
    return fs::exists(first);
  }));
  record(next++);
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(next - 1));
  EXPECT_TRUE(log_->status().writable);
}

TEST_F(DatabasePlaceTest, MovesADatabaseOfARelayAside) {
  fs::rename(make_other("other.db"), path_);
  const std::string being_made = path_ + ".journal.9";
  std::ofstream(being_made) << std::string(5000, '\0');
  std::ofstream(path_ + ".journal.10") << "of another one";
  Sequence next = 2;
  ASSERT_TRUE(eventually([&] {
    record(next++);
    return fs::exists(path_ + ".replaced");
  }));
  record(next++);
  EXPECT_TRUE(fs::exists(being_made));
  EXPECT_EQ(content_of(path_ + ".replaced.journal.10"), "of another one");
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(next - 1));
  const auto other = open(path_ + ".replaced");
  EXPECT_TRUE(find(*other, "other"));
}

TEST_F(DatabasePlaceTest, DoesNotTouchWhatAStartWouldRefuse) {
  fs::remove(path_);
  std::ofstream(path_) << "notes of mine, in more than a few words: " << std::string(200, 'x');
  const std::string before = content_of(path_);
  Sequence next = 2;
  ASSERT_TRUE(eventually([&] {
    log_->record(SessionId("s"), message_record(next++));
    history(*log_, "s", next - 2, 1);
    return !log_->status().writable;
  }));
  EXPECT_THAT(log_->status().last_error, HasSubstr(path_ + " was deleted or replaced"));
  EXPECT_THAT(log_->status().last_error, HasSubstr("is not a database"));
  EXPECT_THAT(log_->status().last_error, HasSubstr(path_ + ".restored"));
  EXPECT_EQ(content_of(path_), before);
  EXPECT_EQ(history(*log_, "s").messages.size(), static_cast<std::size_t>(next - 1))
      << "what is held in memory is read, too";

  fs::remove(path_);
  wait_for(log_->flush());
  EXPECT_TRUE(log_->status().writable);
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(next - 1));
  EXPECT_FALSE(fs::exists(path_ + ".restored"));
}

TEST_F(DatabasePlaceTest, LeavesThePathToARelayThatHasTakenIt) {
  for (const auto& entry : fs::directory_iterator(directory_.path())) fs::remove(entry.path());
  auto second = open(path_);
  second->session_created(session_record("other"));
  wait_for(second->flush());
  Sequence next = 2;
  ASSERT_TRUE(eventually([&] {
    log_->record(SessionId("s"), message_record(next++));
    history(*log_, "s", next - 2, 1);
    return !log_->status().writable;
  }));
  EXPECT_THAT(log_->status().last_error, HasSubstr("in use by process"));
  EXPECT_TRUE(find(*second, "other"));
  second->record(SessionId("other"), message_record(1, "of the other"));
  second.reset();
  wait_for(log_->flush());
  EXPECT_EQ(stored().size(), static_cast<std::size_t>(next - 1));
  EXPECT_EQ(history(*open(path_ + ".replaced"), "other").messages.at(0).body.view(),
            "of the other");
  EXPECT_EQ(journal_files(path_ + ".replaced").size(), 1u);
}

}  // namespace
}  // namespace relay::storage
