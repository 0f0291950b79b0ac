// Messages that stay in the journal, and what becomes of its files.
#include "storage/backup.hpp"
#include "storage/journal_fixture.hpp"
#include "storage/open_database.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

class MessagesInTheJournal : public JournalTest {
 protected:
  // The session's words are in two files, of which the first can't be opened for a while.
  void expect_erased_beside_a_file_that_can_not_be_opened() {
    const std::vector<std::string> files = journal_files(path_);
    ASSERT_EQ(files.size(), 2u);
    std::optional<Unopenable> first(files[0]);  // before the log has it open
    const auto log = open(path_);
    ASSERT_TRUE(wait_for(log->erase(kSession)));
    EXPECT_THAT(content_of(files[1]), Not(HasSubstr("secret of s")));
    EXPECT_THAT(content_of(first->aside()), HasSubstr("secret of s"));
    first.reset();
    EXPECT_TRUE(eventually([&] {
      find(*log, "t");
      return content_of(files[0]).find("secret of s") == std::string::npos;
    }));
    EXPECT_THAT(sequences(history(*log, "t")), ElementsAre(1, 2));
  }
};

TEST_F(MessagesInTheJournal, HasTheMessagesForGood) {
  const std::string body(1u << 20, 'x');
  Sequence sequence = 0;
  for (int run = 0; run < 2; ++run) {
    const auto log = open(path_);
    if (run == 0) log->session_created(session_record("s"));
    if (run == 1) log->session_reopened(*find(*log, "s"));
    for (int count = 0; count < 10; ++count)
      log->record(kSession, message_record(++sequence, body));
    log->record(kSession, message_record(++sequence, "small"));
    wait_for(log->flush());
    EXPECT_EQ(log->status().pending_bytes, 0u);
  }
  const auto log = open(path_);
  const HistoryPage page = history(*log, "s");
  ASSERT_EQ(page.messages.size(), static_cast<std::size_t>(sequence));
  EXPECT_EQ(page.messages[9].body.view(), body);
  EXPECT_EQ(page.messages[10].body.view(), "small");
  EXPECT_EQ(text(page.gaps), "");
  EXPECT_EQ(journal_files(path_).size(), 4u);
  std::uintmax_t bytes = 0;
  for (const std::string& path : journal_files(path_)) bytes += fs::file_size(path);
  EXPECT_LT(bytes, 21u << 20) << "the room that was left is given back";
  EXPECT_LT(fs::file_size(path_), 1u << 20);
}

TEST_F(MessagesInTheJournal, LosesTheMessagesOfAFileThatIsGoneAndSaysWhich) {
  const std::string body(3u << 20, 'x');
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    for (Sequence sequence = 1; sequence <= 6; ++sequence) {
      log->record(kSession, message_record(sequence, body));
    }
  }
  fs::remove(journal_files(path_).at(1));
  const auto log = open(path_);
  const HistoryPage page = history(*log, "s");
  EXPECT_THAT(sequences(page), ElementsAre(1, 2, 5, 6));
  EXPECT_EQ(text(page.gaps), "[3,4]");
  EXPECT_EQ(find(*log, "s")->last_sequence, 6);
}

TEST_F(MessagesInTheJournal, AreNoGapWhileTheirFileCanNotBeOpened) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    log->record(kSession, call(1, MessageKind::kRequest, 11));
  }
  const std::string file = journal_files(path_).at(0);
  std::optional<Unopenable> journal(file);  // before the log has it open
  const auto log = open(path_);
  const auto page = wait_for(log->history(kSession, 0, 100, 1u << 20));
  ASSERT_FALSE(page);
  EXPECT_THAT(page.error().explanation, HasSubstr(file));
  EXPECT_TRUE(page.error().recoverable);
  EXPECT_FALSE(wait_for(log->open_calls(kSession)));
  journal.reset();
  EXPECT_THAT(sequences(history(*log, "s")), ElementsAre(1));
  const auto calls = wait_for(log->open_calls(kSession));
  ASSERT_TRUE(calls);
  EXPECT_EQ(calls->requests.size(), 1u);
}

TEST_F(MessagesInTheJournal, AreAGapWhereTheDiskHasLostThem) {
  const std::string body(3u << 20, 'x');
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    for (Sequence sequence = 1; sequence <= 6; ++sequence) {
      log->record(kSession, message_record(sequence, body));
    }
  }
  const std::string file = journal_files(path_).at(1);
  const std::string backup = directory_.file("backup.db");
  {
    const Unreadable second(file);
    testing::internal::CaptureStderr();
    {
      LogOptions options;
      options.path = path_;
      const auto log = SqliteLog::open(loop_.get_executor(), options,
                                       Logger::to_stderr(LogLevel::kWarn, LogFormat::kText));
      ASSERT_TRUE(log) << log.error().explanation;
      for (int time = 0; time < 2; ++time) {
        const HistoryPage page = history(**log, "s");
        EXPECT_THAT(sequences(page), ElementsAre(1, 2, 5, 6));
        EXPECT_EQ(text(page.gaps), "[3,4]");
      }
    }
    const std::string said = testing::internal::GetCapturedStderr();
    const std::size_t first = said.find("cannot read " + file);
    ASSERT_NE(first, std::string::npos) << said;
    EXPECT_EQ(said.find("cannot read", first + 1), std::string::npos) << said;

    const auto size = back_up(path_, backup);
    ASSERT_TRUE(size) << size.error().explanation;
    EXPECT_EQ(size->messages, 4);
    EXPECT_THAT(size->lost, ElementsAre(HasSubstr(file)));
  }
  EXPECT_EQ(text(history(*open(backup), "s").gaps), "[3,4]");
  EXPECT_EQ(text(history(*open(path_), "s").gaps), "") << "nothing was given up for good";
}

// What is on the disk between two strings of a file.
TEST_F(MessagesInTheJournal, TakesErasedWordsOffTheDisk) {
  const auto log = open(path_);
  const std::string large = std::string(100'000, 'x') + "a large secret";
  SessionRecord titled = session_record("s");
  titled.title = "secret from the start";
  log->session_created(titled);
  log->session_created(session_record("t"));
  for (Sequence sequence = 1; sequence <= 3; ++sequence) {
    log->record(kSession, message_record(sequence, "a small secret"));
    log->record(SessionId("t"), message_record(sequence, "stays"));
    log->record(kSession, message_record(sequence + 3, large));
  }
  titled.title = "another secret";
  log->session_changed(titled);
  log->session_closed(kSession, "a secret end", wall_now());
  wait_for(log->flush());
  EXPECT_THAT(content_of(journal_files(path_).at(0)), HasSubstr("another secret"));
  ASSERT_TRUE(wait_for(log->erase(kSession)));
  EXPECT_THAT(content_of(journal_files(path_).at(0)), Not(HasSubstr("secret")));
  EXPECT_THAT(sequences(history(*log, "t")), ElementsAre(1, 2, 3));
  // It goes on behind what was erased.
  log->record(SessionId("t"), message_record(4, "more"));
  const auto again = open(killed(path_));
  EXPECT_THAT(sequences(history(*again, "t")), ElementsAre(1, 2, 3, 4));
  EXPECT_FALSE(find(*again, "s"));
}

// As by a relay that was killed when the index had forgotten a session, and nothing else.
TEST_F(MessagesInTheJournal, TakesThemOffTheDiskAfterARelayWasKilledBeforeItDid) {
  const auto log = open(path_);
  for (const char* id : {"s", "t"}) {
    log->session_created(session_record(id));
    log->record(SessionId(id), message_record(1, std::string("a secret of ") + id));
  }
  log->session_closed(kSession, "a secret end", wall_now());
  wait_for(log->flush());
  const std::string path = killed(path_);
  {
    auto database = open_database(path, Durability::kRelaxed);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("DELETE FROM sessions WHERE id = 's'"));
  }
  const auto again = open(path);
  const std::string file = path + ".journal.1";
  EXPECT_TRUE(eventually([&] {
    const std::string content = content_of(file);
    return content.find("secret of s") == std::string::npos &&
           content.find("secret end") == std::string::npos;
  }));
  EXPECT_THAT(content_of(file), HasSubstr("a secret of t"));
}

// A file that can't be opened holds up neither the others nor, when it can be again, itself.
TEST_F(MessagesInTheJournal, AreTakenOffTheDiskWhenItLetsThem) {
  for (Sequence run = 1; run <= 2; ++run) {
    const auto log = open(path_);
    for (const char* id : {"s", "t"}) {
      if (run == 1) log->session_created(session_record(id));
      if (run == 2) log->session_reopened(*find(*log, id));
      log->record(SessionId(id), message_record(run, std::string("a secret of ") + id));
      log->session_closed(SessionId(id), "closed", wall_now());
    }
  }
  expect_erased_beside_a_file_that_can_not_be_opened();
}

// More in it than a step looks at, and more in the other one than some steps erase.
TEST_F(MessagesInTheJournal, AreTakenOffTheDiskBesideManyInAFileThatDoesNotLetThem) {
  for (Sequence run = 1; run <= 2; ++run) {
    const auto log = open(path_);
    if (run == 1) log->session_created(session_record("t"));
    if (run == 2) log->session_reopened(*find(*log, "t"));
    log->record(SessionId("t"), message_record(run));
    if (run == 1) log->session_created(session_record("s"));
    const int entries = run == 1 ? 2'500 : 8'000;
    for (int count = 0; count < entries; ++count) {
      log->session_closed(kSession, "a secret of s", wall_now());
    }
  }
  expect_erased_beside_a_file_that_can_not_be_opened();
}

// More stretches than a step erases.
TEST_F(MessagesInTheJournal, TakesManyStretchesOffTheDisk) {
  const auto log = open(path_);
  for (const char* id : {"s", "t"}) log->session_created(session_record(id));
  constexpr Sequence kMessages = 5000;
  for (Sequence sequence = 1; sequence <= kMessages; ++sequence) {
    log->record(kSession, message_record(sequence, "a secret"));
    log->record(SessionId("t"), message_record(sequence, "stays"));
  }
  log->session_closed(kSession, "closed", wall_now());
  ASSERT_TRUE(wait_for(log->erase(kSession)));
  EXPECT_THAT(content_of(journal_files(path_).at(0)), Not(HasSubstr("secret")));
  EXPECT_EQ(find(*log, "t")->last_sequence, kMessages);
}

// Else a message would keep all that was ever said of a session in its file.
TEST_F(MessagesInTheJournal, TakesOutdatedWordsOnASessionOffTheDisk) {
  const auto log = open(path_);
  SessionRecord session = session_record("s");
  session.title = "word 1";
  log->session_created(session);
  log->record(kSession, message_record(1, "stays"));
  for (const std::string number : {"2", "3", "4"}) {
    session.title = "word " + number;
    log->session_changed(session);
    log->session_used(kSession, "use " + number);
    if (number == "3") wait_for(log->flush());  // two groups
  }
  const std::string file = journal_files(path_).at(0);
  const auto left = [&] {
    find(*log, "s");
    std::string words;
    const std::string content = content_of(file);
    for (const std::string what : {"word ", "use "}) {
      for (const std::string number : {"1", "2", "3", "4", "5", "6"}) {
        if (content.find(what + number) != std::string::npos) words += what + number + " ";
      }
    }
    return words;
  };
  for (const std::string title : {"word 5", "word 6"}) {
    log->session_closed(kSession, "closed", wall_now());
    session.title = title;
    log->session_reopened(session);
  }
  wait_for(log->flush());
  EXPECT_EQ(left(), "word 1 word 2 word 3 word 4 word 5 word 6 use 2 use 3 use 4 ")
      << "as long as the file is written";
  log->record(kSession, message_record(2, std::string(9u << 20, 'x')));  // in another one
  EXPECT_TRUE(eventually([&] { return left() == "word 1 word 6 use 4 "; })) << left();
  const auto again = open(killed(path_));
  EXPECT_EQ(find(*again, "s")->title, "word 6");
  EXPECT_EQ(find(*again, "s")->upstream_use, "use 4");
  EXPECT_FALSE(find(*again, "s")->closed_at);
  EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1, 2));
}

// A relay that is killed has them in the journal alone.
TEST_F(MessagesInTheJournal, TakesThemOffTheDiskAfterAStartThatBroughtThemIn) {
  const auto log = open_slow(path_);
  SessionRecord session = session_record("s");
  log->session_created(session);
  log->record(kSession, message_record(1, "stays"));
  for (const char* const title : {"word 1", "word 2"}) {
    session.title = title;
    log->session_changed(session);
  }
  const std::string path = killed(path_);
  const auto again = open(path);
  EXPECT_EQ(find(*again, "s")->title, "word 2");
  const std::string file = path + ".journal.1";
  EXPECT_TRUE(eventually([&] {
    find(*again, "s");
    return content_of(file).find("word 1") == std::string::npos;
  }));
  EXPECT_THAT(content_of(file), HasSubstr("word 2"));
}

TEST_F(MessagesInTheJournal, DeletesAFileInWhichNoMessageIsLeft) {
  const auto log = open(path_);
  for (const char* id : {"s", "t"}) log->session_created(session_record(id));
  const std::string body(3u << 20, 'x');
  for (Sequence sequence = 1; sequence <= 5; ++sequence) {
    log->record(kSession, message_record(sequence, body));
  }
  log->record(SessionId("t"), message_record(1));
  wait_for(log->flush());
  EXPECT_EQ(journal_files(path_).size(), 3u);
  log->session_closed(kSession, "closed", wall_now());
  ASSERT_TRUE(wait_for(log->erase(kSession)));
  EXPECT_THAT(journal_files(path_), ElementsAre(path_ + ".journal.3"));
  EXPECT_THAT(sequences(history(*log, "t")), ElementsAre(1));
}

// As after a backup was put in the place of a database.
TEST_F(MessagesInTheJournal, DeletesAtAStartWhatNoMessageIsIn) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    log->record(kSession, message_record(1));
  }
  ASSERT_TRUE(back_up(path_, directory_.file("backup.db")));
  fs::rename(directory_.file("backup.db"), path_);
  std::ofstream(path_ + ".journal.0") << "of somebody";
  const auto log = open(path_);
  EXPECT_THAT(journal_files(path_), IsEmpty());
  EXPECT_EQ(content_of(path_ + ".journal.0.foreign"), "of somebody");
  EXPECT_THAT(sequences(history(*log, "s")), ElementsAre(1));
}

TEST_F(MessagesInTheJournal, DoesNotBringBackWhatWasErased) {
  const auto log = open(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  log->session_closed(kSession, "closed", wall_now());
  ASSERT_TRUE(wait_for(log->erase(kSession)));
  EXPECT_FALSE(find(*open(killed(path_)), "s"));
}

TEST_F(MessagesInTheJournal, AreDividedWhereTheyAreMuchOrHaveAHole) {
  std::vector<MessageRecord> messages;
  for (const Sequence sequence : {1, 2, 3, 7, 8}) {
    messages.push_back(message_record(sequence, std::string(400'000, 'x')));
  }
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, messages, {});
  messages = {message_record(9), message_record(11)};
  log->record(kSession, messages, {{900, 7, 8}, 11, 3});
  const auto again = open(killed(path_));
  EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1, 2, 3, 7, 8, 9, 11));
  EXPECT_EQ(text(history(*again, "s").gaps), "[4,6][10,10]");
  EXPECT_EQ(find(*again, "s")->progress.input, 11);
  const std::string content = content_of(journal_files(path_).at(0));
  std::string_view rest = std::string_view(content).substr(content.find('\n') + 1);
  std::vector<std::size_t> writes;
  while (const auto entry = next_entry(rest)) writes.push_back(entry->writes.size());
  EXPECT_THAT(writes, ElementsAre(1, 1, 1, 1, 1, 2))
      << "session, 1 to 2, 3, 7 to 8, 9, 11 with the progress";
}

// Else a start would find some of them, and take them all from the agent once more.
TEST_F(MessagesInTheJournal, OfOneReadAreThereWithItsEndOrNotAtAll) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  std::vector<MessageRecord> messages;
  for (Sequence sequence = 1; sequence <= 24; ++sequence) {
    messages.push_back(message_record(sequence, std::string(400'000, 'x')));
  }
  log->record(kSession, messages, {{9'600'000, 7, 8}, 0, 0});
  ASSERT_EQ(journal_files(path_).size(), 2u) << "more than a file has room for";
  const std::size_t whole = entries_in(journal_files(path_).at(1)).size();
  EXPECT_GT(whole, 9'600'000u);
  for (std::size_t size = 0; size < whole; size += 1'500'000) {
    const std::string copy = killed(path_);
    fs::resize_file(copy + ".journal.2", size);
    const auto again = open(copy);
    EXPECT_THAT(sequences(history(*again, "s")), IsEmpty()) << size;
    EXPECT_EQ(find(*again, "s")->progress.output.bytes, 0u) << size;
  }
  const auto again = open(killed(path_));
  EXPECT_EQ(history(*again, "s").messages.size(), 24u);
  EXPECT_THAT(sequences(history(*again, "s", 10, 100, 1u << 20)), ElementsAre(11, 12));
  EXPECT_EQ(find(*again, "s")->progress.output.bytes, 9'600'000u);
}

// A page that was not written back before a power cut reads as zeros, as the end of a file does.
TEST_F(MessagesInTheJournal, StayBehindAPageOfZerosWhenTheIndexHasThem) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  wait_for(log->flush());
  const std::size_t page = entries_in(journal_files(path_).at(0)).size();
  for (Sequence sequence = 2; sequence <= 3; ++sequence) {
    log->record(kSession, message_record(sequence, std::string(10'000, 'x')));
    wait_for(log->flush());
  }
  log->record(kSession, message_record(4, "of the journal alone"));
  const std::string copy = killed(path_);
  {
    std::fstream file(copy + ".journal.1", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(page));
    file << std::string(4096, '\0');
  }
  for (int start = 0; start < 2; ++start) {
    const auto again = open(copy);
    EXPECT_THAT(sequences(history(*again, "s")), ElementsAre(1, 3, 4));
    EXPECT_EQ(text(history(*again, "s").gaps), "[2,2]");
  }
}

// As a power cut or a bad disk may leave it.
TEST_F(MessagesInTheJournal, AreMissingWhereAnEntryIsDamagedAndNowhereElse) {
  const auto damage = [](const std::string& path) {
    const std::string content = content_of(path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(content.find("number 2")));
    file.put('N');
  };
  const auto log = open_slow(path_);
  log->session_created(session_record("s"));
  for (Sequence sequence = 1; sequence <= 3; ++sequence) {
    log->record(kSession, message_record(sequence, "number " + std::to_string(sequence)));
  }
  const std::string unread = killed(path_);
  damage(unread + ".journal.1");
  wait_for(log->flush());
  const std::string indexed = killed(path_);
  damage(indexed + ".journal.1");
  for (const std::string& path : {unread, indexed}) {
    const HistoryPage page = history(*open(path), "s");
    EXPECT_THAT(sequences(page), ElementsAre(1, 3)) << path;
    EXPECT_EQ(text(page.gaps), "[2,2]") << path;
  }
}

}  // namespace
}  // namespace relay::storage
