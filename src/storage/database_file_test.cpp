#include "storage/database_file.hpp"

#include "storage/database.hpp"
#include "storage/log_fixture.hpp"
#include "storage/migrations.hpp"
#include "storage/statement.hpp"

#include <gmock/gmock.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace relay::storage {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DatabaseFile : public LogTest {
 protected:
  Error refusal(const std::string& path) {
    LogOptions options;
    options.path = path;
    auto log = MessageLog::open(loop_.get_executor(), options, Logger::silent());
    EXPECT_FALSE(log);
    if (log) return {};
    EXPECT_THAT(log.error().suggested_actions, Contains(HasSubstr("database.path")));
    return log.error();
  }
  void make_database(const std::string& path, const std::string& sql) {
    ASSERT_TRUE(make_writable_file(path));
    auto database = Database::open(path);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute(sql));
  }

  TemporaryDirectory directory_;
};

TEST_F(DatabaseFile, IsForItsOwnerOnly) {
  const std::string path = directory_.file("log.db");
  const auto log = open(path);
  log->session_created(session_record("s"));
  wait_for(log->flush());
  for (const std::string suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat status {};
    ASSERT_EQ(::stat((path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
  EXPECT_GT(log->status().wal_bytes, 0u);
}

TEST_F(DatabaseFile, IsReadAgainAfterItWasClosed) {
  const std::string path = directory_.file("log.db");
  auto log = open(path);
  const std::string instance = log->instance_id();
  EXPECT_EQ(instance.size(), 32u);
  log->session_created(session_record("closed"));
  log->session_closed(SessionId("closed"), "idle", wall_now());
  log->session_created(session_record("open"));
  log->record(SessionId("open"), message_record(1, "one"));
  log.reset();  // writes what is queued

  log = open(path);
  EXPECT_EQ(log->instance_id(), instance);
  EXPECT_EQ(find(*log, "closed")->cause, "idle");
  EXPECT_FALSE(find(*log, "open")->closed_at) << "its owner goes on with it, or closes it";
  log->record(SessionId("open"), message_record(2, "two"));
  EXPECT_THAT(sequences(history(*log, "open")), ElementsAre(1, 2));
  // A session that is made again under its id goes on where it was.
  log->session_created(session_record("open"));
  log->record(SessionId("open"), message_record(3, "three"));
  EXPECT_THAT(sequences(history(*log, "open")), ElementsAre(1, 2, 3));
  EXPECT_FALSE(find(*log, "open")->closed_at);
}

TEST_F(DatabaseFile, IsRefusedToASecondRelay) {
  const std::string path = directory_.file("log.db");
  auto log = open(path);
  const Error error = refusal(path);
  EXPECT_THAT(error.explanation, HasSubstr("process " + std::to_string(::getpid())));
  log.reset();
  EXPECT_TRUE(open(path));
}

TEST_F(DatabaseFile, ThatIsACopyIsRefusedWhileTheOriginalIsUsed) {
  const std::string path = directory_.file("log.db"), copy = directory_.file("copy.db");
  const std::string instance = open(path)->instance_id();
  std::filesystem::copy_file(path, copy);
  {
    const OtherRelay other(path);
    for (int attempt = 0; attempt < 5; ++attempt) {
      const Error error = refusal(copy);
      EXPECT_THAT(error.explanation, HasSubstr("process " + std::to_string(other.pid())));
      EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("acp-relay backup")));
    }
  }
  EXPECT_EQ(open(copy)->instance_id(), instance);
}

TEST_F(DatabaseFile, IsLookedAtWithoutBeingMade) {
  const std::string path = directory_.file("log.db");
  EXPECT_TRUE(check_usable(path));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  {
    const auto log = open(path);
    const auto held = check_usable(path);
    ASSERT_FALSE(held);
    EXPECT_THAT(held.error().explanation, HasSubstr("process " + std::to_string(::getpid())));
  }
  EXPECT_TRUE(check_usable(path));
  EXPECT_THAT(check_usable(directory_.file("missing/log.db")).error().explanation,
              HasSubstr("does not exist"));
  EXPECT_THAT(check_usable(directory_.path().string()).error().explanation,
              HasSubstr("not a regular file"));
}

TEST_F(DatabaseFile, OfAnotherApplicationIsNotTouched) {
  const std::string path = directory_.file("other.db");
  make_database(path, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');");
  const std::string before = content_of(path);
  EXPECT_THAT(refusal(path).explanation, HasSubstr("another application"));
  EXPECT_EQ(content_of(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1)
      << "nothing is left beside it";
}

TEST_F(DatabaseFile, OfALaterVersionIsNotTouched) {
  const std::string path = directory_.file("later.db");
  { const auto log = open(path); }
  make_database(path, "PRAGMA user_version = 99");
  std::filesystem::remove(path + ".lock");
  const std::string before = content_of(path);
  const Error error = refusal(path);
  EXPECT_THAT(error.explanation, HasSubstr("version 99"));
  EXPECT_EQ(content_of(path), before);
}

// The schema as the first version wrote it, with a session that was closed, one that was open, and
// a message of each.
constexpr const char* kFirstVersion = R"sql(
PRAGMA application_id = 1380273241;
PRAGMA user_version = 1;
CREATE TABLE sessions (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agent_session_id TEXT NOT NULL,
  owner TEXT NOT NULL, working_directory TEXT NOT NULL, isolation TEXT NOT NULL,
  title TEXT NOT NULL, created_at INTEGER NOT NULL, closed_at INTEGER, cause TEXT NOT NULL,
  last_sequence INTEGER NOT NULL) STRICT;
CREATE INDEX sessions_of_owner ON sessions (owner, number);
CREATE INDEX sessions_open ON sessions (number) WHERE closed_at IS NULL;
CREATE TABLE messages (
  place INTEGER PRIMARY KEY, session INTEGER NOT NULL, sequence INTEGER NOT NULL,
  origin INTEGER NOT NULL, kind INTEGER NOT NULL, to_client INTEGER NOT NULL,
  method TEXT NOT NULL, rpc_id TEXT NOT NULL, time INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE runs (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  first INTEGER NOT NULL, last INTEGER NOT NULL, place INTEGER NOT NULL,
  PRIMARY KEY (session, first)) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs (place);
CREATE TRIGGER run_deleted AFTER DELETE ON runs BEGIN
  DELETE FROM messages WHERE place BETWEEN old.place AND old.place + old.last - old.first;
END;
CREATE TABLE gaps (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  from_sequence INTEGER NOT NULL, to_sequence INTEGER NOT NULL,
  PRIMARY KEY (session, from_sequence)) STRICT, WITHOUT ROWID;
CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO properties VALUES ('instance_id', 'of the first version');
INSERT INTO sessions VALUES
  (1, 'old', 'agent-1', 'ann', '/w', 'process', 'A title', 1700000000000, 1700000001000, 'idle', 1),
  (2, 'open', 'agent-2', '', '/v', 'container', '', 1700000002000, NULL, '', 1);
INSERT INTO messages VALUES
  (1, 1, 1, 0, 0, 0, 'session/new', '7', 1700000000500, 'one'),
  (2, 2, 1, 1, 2, 1, 'session/update', '', 1700000002500, 'two');
INSERT INTO runs VALUES (1, 1, 1, 1), (2, 1, 1, 2);
)sql";

TEST_F(DatabaseFile, OfTheFirstVersionGoesOn) {
  const std::string path = directory_.file("first.db");
  const std::string instance = "of the first version " + std::to_string(::getpid());
  make_database(path, std::string(kFirstVersion) + "UPDATE properties SET value = '" + instance +
                          "' WHERE name = 'instance_id'");
  const auto at = [](std::int64_t time) { return WallTime(std::chrono::milliseconds(time)); };
  auto log = open(path);
  EXPECT_EQ(log->instance_id(), instance);
  auto old = find(*log, "old");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->title, "A title");
  EXPECT_EQ(old->owner, "ann");
  EXPECT_EQ(old->agent, "");
  EXPECT_EQ(old->created_at, at(1700000000000));
  EXPECT_EQ(old->updated_at, old->created_at);
  EXPECT_EQ(old->closed_at, at(1700000001000));
  EXPECT_FALSE(find(*log, "open")->closed_at);
  EXPECT_EQ(find(*log, "open")->isolation, "container");
  EXPECT_EQ(history(*log, "old").messages.at(0).body.view(), "one");
  EXPECT_THAT(*wait_for(log->known_requests(SessionId("old"), {"7", "8"})), ElementsAre("7"));
  SessionQuery query;
  query.agent = "";
  EXPECT_THAT(ids(*wait_for(log->list(query))), ElementsAre("open", "old"));

  EXPECT_EQ(old->upstream_use, "");
  old->agent = "claude";
  log->session_reopened(*old);
  log->session_used(SessionId("old"), R"({"own":{}})");
  log->record(SessionId("old"), message_record(2, "more"));
  log.reset();
  log = open(path);  // it is of the present version
  EXPECT_EQ(find(*log, "old")->agent, "claude");
  EXPECT_EQ(find(*log, "old")->upstream_use, R"({"own":{}})");
  EXPECT_THAT(sequences(history(*log, "old")), ElementsAre(1, 2));
}

// As the seventh version had what tells of sessions in the journal: nothing says what is outdated.
constexpr const char* kSeventhVersion = R"sql(
CREATE TABLE kept AS SELECT session, segment, extents FROM session_entries;
DROP TABLE session_entries;
CREATE TABLE session_entries (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  segment INTEGER NOT NULL, extents BLOB NOT NULL,
  PRIMARY KEY (session, segment, extents)) STRICT, WITHOUT ROWID;
INSERT INTO session_entries SELECT * FROM kept;
DROP TABLE kept;
CREATE INDEX session_entries_of_segment ON session_entries (segment);
CREATE TRIGGER session_entry_deleted AFTER DELETE ON session_entries BEGIN
  INSERT INTO unused (segment, extents) VALUES (old.segment, old.extents);
END;
PRAGMA user_version = 7;
)sql";

TEST_F(DatabaseFile, OfTheSeventhVersionLosesWhatIsSaidOfASessionWithIt) {
  const std::string path = directory_.file("log.db");
  {
    const auto log = open(path);
    SessionRecord session = session_record("s");
    log->session_created(session);
    log->record(SessionId("s"), message_record(1, "stays"));
    session.title = "A title";
    log->session_changed(session);
  }
  const std::string file = journal_files(path).at(0);
  ASSERT_THAT(content_of(file), HasSubstr("A title"));
  make_database(path, kSeventhVersion);
  std::filesystem::remove(path + ".lock");
  const auto log = open(path);
  EXPECT_EQ(find(*log, "s")->title, "A title");
  EXPECT_EQ(history(*log, "s").messages.at(0).body.view(), "stays");
  log->session_closed(SessionId("s"), "closed", wall_now());
  const auto erased = wait_for(log->erase(SessionId("s")));
  ASSERT_TRUE(erased) << erased.error().explanation;
  EXPECT_THAT(journal_files(path), testing::Not(testing::Contains(file)));
}

TEST_F(DatabaseFile, OfTheFirstVersionStaysAsItIsWithoutRoom) {
  const std::string path = directory_.file("first.db");
  make_database(path, kFirstVersion);
  auto database = Database::open(path);
  ASSERT_TRUE(database);
  const auto pages = database->number("PRAGMA page_count");
  ASSERT_TRUE(database->execute("PRAGMA max_page_count = " + std::to_string(*pages + 2)));
  const auto refused = migrate(*database, path);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().suggested_actions, ElementsAre(HasSubstr("four times its size")));
  ASSERT_TRUE(database->execute("PRAGMA max_page_count = 1000"));
  ASSERT_TRUE(migrate(*database, path));
  EXPECT_EQ(*database->number("SELECT count(*) FROM runs"), 2);
}

TEST_F(DatabaseFile, ThatIsNoneIsNotTouched) {
  const std::string path = directory_.file("text");
  std::ofstream(path) << "just a text";
  EXPECT_THAT(refusal(path).explanation, HasSubstr("not a database"));
  EXPECT_EQ(content_of(path), "just a text");
}

TEST_F(DatabaseFile, MayBeEmpty) {
  const std::string path = directory_.file("empty");
  std::ofstream(path).flush();
  EXPECT_TRUE(open(path));
}

TEST_F(DatabaseFile, NeedsADirectoryThatExists) {
  const Error error = refusal(directory_.file("missing/log.db"));
  EXPECT_THAT(error.explanation, HasSubstr("does not exist"));
  EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("mkdir -p")));
  std::ofstream(directory_.file("file")).flush();
  EXPECT_THAT(refusal(directory_.file("file/log.db")).explanation, HasSubstr("not a directory"));
  EXPECT_THAT(refusal(directory_.path().string()).explanation, HasSubstr("not a regular file"));
  EXPECT_THAT(refusal("").explanation, HasSubstr("no path"));
}

TEST_F(DatabaseFile, NeedsADirectoryThatCanBeWritten) {
  // Nobody may make files there, root included.
  EXPECT_THAT(refusal("/proc/acp-relay.db").explanation, HasSubstr("/proc/acp-relay.db"));
}

TEST_F(DatabaseFile, ThatIsDamagedIsRefused) {
  const std::string path = directory_.file("log.db");
  { const auto log = open(path); }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(20'000, '\xaa');
  file.close();
  EXPECT_THAT(refusal(path).explanation, HasSubstr(path));
}

TEST_F(DatabaseFile, OutlivesAKilledWriter) {
  const std::string path = directory_.file("log.db");
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    asio::io_context loop(1);
    LogOptions options;
    options.path = path;
    auto log = MessageLog::open(loop.get_executor(), options, Logger::silent());
    if (!log) ::_exit(1);
    (*log)->session_created(session_record("s"));
    bool told = false;
    for (Sequence sequence = 1;; ++sequence) {
      (*log)->record(SessionId("s"), message_record(sequence, std::to_string(sequence)));
      while ((*log)->backlog() > (16u << 20)) ::usleep(1'000);  // as sessions do
      if (!told && (*log)->status().written_messages > 5'000) {
        told = ::write(pipe_ends[1], "x", 1) == 1;
      }
    }
  }
  ::close(pipe_ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(pipe_ends[0], &byte, 1), 1);
  ::close(pipe_ends[0]);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);

  const auto log = open(path);
  const auto session = find(*log, "s");
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->closed_at);
  Sequence read = 0;
  for (bool complete = false; !complete;) {
    const HistoryPage page = history(*log, "s", read);
    for (const auto& message : page.messages) {
      ASSERT_EQ(message.sequence, ++read);
      ASSERT_EQ(message.body.view(), std::to_string(read));
    }
    complete = page.complete;
  }
  EXPECT_GT(read, 5'000);
  EXPECT_EQ(read, session->last_sequence);
  log->session_reopened(*session);
  log->record(SessionId("s"), message_record(read + 1, "more"));
  EXPECT_EQ(find(*log, "s")->last_sequence, read + 1);
  EXPECT_THAT(sequences(history(*log, "s", read - 1)), ElementsAre(read, read + 1));
}

}  // namespace
}  // namespace relay::storage
