// What the store answers where SQLite or the disk refuses one thing and nothing else.
#include "storage/journal.hpp"
#include "storage/journal_codec.hpp"
#include "storage/log_fixture.hpp"
#include "storage/message_store.hpp"
#include "storage/open_database.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <csignal>
#include <string_view>
#include <sys/resource.h>

namespace relay::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// While it lives nothing can be written behind the first bytes of any file.
class ShortFiles {
 public:
  explicit ShortFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ShortFiles(const ShortFiles&) = delete;
  ShortFiles& operator=(const ShortFiles&) = delete;
  ~ShortFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

class StoreFailures : public testing::Test {
 protected:
  StoreFailures() {
    auto database = open_database(":memory:", Durability::kRelaxed);
    if (!database) throw std::runtime_error(database.error().explanation);
    handle_ = database->handle();
    auto store = MessageStore::make(std::move(*database), path_, Durability::kRelaxed);
    if (!store) throw std::runtime_error(store.error().explanation);
    store_ = std::move(*store);
    sqlite3_trace_v2(handle_, SQLITE_TRACE_STMT, &interrupt, this);
  }

  // Statements with this text are interrupted at their first step; empty: none.
  void refuse(std::string_view sql) { refused_ = sql; }

  template <class Outcome>
  static std::string refusal(const Outcome& outcome) {
    return outcome ? std::string("none") : outcome.error().explanation;
  }
  Result<WriteCount> write(Write write) {
    PendingWrites writes;
    writes.push(std::move(write), store_->written_order() + 1);
    return store_->write(writes.entries());
  }
  static Write session(std::int64_t number, const std::string& id) {
    return std::make_unique<SessionCreate>(SessionCreate{number, session_record(id)});
  }
  // Under the id, as the journal has them.
  static Write message(const std::string& id, Sequence sequence, const std::string& body = "{}") {
    const SessionId of(id);
    const MessageRecord record = message_record(sequence, body);
    const Progress none;
    const MessageBatch batch{of, std::span(&record, 1), none};
    MessagesWrite write{{0, id}, {}, {}, std::string(encoded_size(batch), '\0')};
    write.summary.add(record);
    encode(batch, 0, write.entry);
    return write;
  }
  // Bytes of the first file of the journal that nothing leads to.
  void leave_unused(const std::vector<Extent>& extents) {
    std::string hexadecimal;
    for (const char byte : packed(extents)) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const auto value = static_cast<unsigned char>(byte);
      hexadecimal += kDigits[value >> 4];
      hexadecimal += kDigits[value & 0xf];
    }
    const std::string sql =
        "INSERT INTO unused (segment, extents) VALUES (1, x'" + hexadecimal + "')";
    ASSERT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  }

  const SessionId kSession{"s"};
  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  std::unique_ptr<MessageStore> store_;
  sqlite3* handle_ = nullptr;

 private:
  static int interrupt(unsigned, void* self, void* statement, void*) {
    const auto& test = *static_cast<StoreFailures*>(self);
    const std::string_view sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
    const bool is_refused = !test.refused_.empty() && sql.find(test.refused_) != sql.npos;
    if (is_refused) sqlite3_interrupt(test.handle_);
    return 0;
  }

  std::string_view refused_;
};

constexpr std::string_view kNumberOfSession = "SELECT number FROM sessions WHERE id";

// Else a replay would skip what was, and a prompt would be sent again.
TEST_F(StoreFailures, AreNotAnAbsenceToWhoReads) {
  ASSERT_TRUE(write(session(1, "s")));
  ASSERT_TRUE(write(message("s", 1)));
  ASSERT_TRUE(write(GapWrite{{0, "s"}, {2, 3}}));
  PendingWrites writes;
  writes.push(session(2, "t"), store_->written_order() + 1);
  const HeldWrites held = writes.entries();
  struct Row {
    std::string_view refused;
    std::function<std::string()> read;
  };
  const Row rows[] = {
      {kNumberOfSession, [&] { return refusal(store_->history(kSession, 0, 10, 1000, {})); }},
      {"FROM gaps WHERE session = ?1 ORDER BY",
       [&] { return refusal(store_->history(kSession, 0, 10, 1000, {})); }},
      {kNumberOfSession,
       [&] {
         return refusal(store_->search_requests({kSession, {"1"}}, {}));
       }},
      {kNumberOfSession, [&] { return refusal(store_->open_calls(kSession)); }},
      {kNumberOfSession, [&] { return refusal(store_->known_up_to("s")); }},
      {"SELECT max(coalesce((SELECT last", [&] { return refusal(store_->known_up_to("s")); }},
      {kNumberOfSession, [&] { return refusal(store_->find(kSession, held)); }},
      {kNumberOfSession, [&] { return refusal(store_->list({}, held)); }},
  };
  for (const Row& row : rows) {
    refuse(row.refused);
    EXPECT_THAT(row.read(), HasSubstr("interrupted")) << &row - rows;
    refuse({});
    EXPECT_EQ(row.read(), "none") << &row - rows;
  }
}

// Else messages would be dropped, without a gap, as those of a session that was erased.
TEST_F(StoreFailures, AreNotAnAbsenceToWhoWrites) {
  ASSERT_TRUE(write(session(1, "s")));
  ASSERT_TRUE(write(GapWrite{{0, "s"}, {1, 2}}));
  struct Row {
    std::string_view refused;
    std::function<Write()> write;
  };
  SessionRecord changed = session_record("s");
  Progress progress;
  progress.input = 1;
  const Row rows[] = {
      {kNumberOfSession, [&] { return message("s", 5); }},
      {kNumberOfSession,
       [&] {
         return GapWrite{{0, "s"}, {3, 4}};
       }},
      {"SELECT from_sequence FROM gaps",
       [&] {
         return GapWrite{{0, "s"}, {3, 4}};
       }},
      {kNumberOfSession,
       [&] {
         return ProgressWrite{{0, "s"}, progress};
       }},
      {kNumberOfSession,
       [&] {
         return std::make_unique<SessionChange>(SessionChange{changed, {{1, 0, 20}}});
       }},
      {kNumberOfSession,
       [&] {
         return std::make_unique<SessionClose>(
             SessionClose{kSession, "closed", wall_now(), 0, {{1, 0, 20}}});
       }},
  };
  for (const Row& row : rows) {
    const std::uint64_t order = store_->written_order();
    refuse(row.refused);
    EXPECT_THAT(refusal(write(row.write())), HasSubstr("interrupted")) << &row - rows;
    EXPECT_EQ(store_->written_order(), order);
    refuse({});
    const auto count = write(row.write());
    ASSERT_TRUE(count) << count.error().explanation;
    EXPECT_EQ(count->dropped, 0u);
  }
  const auto page = store_->history(kSession, 0, 10, 1000, {});
  ASSERT_TRUE(page) << page.error().explanation;
  ASSERT_EQ(page->messages.size(), 1u);
  EXPECT_EQ(page->messages[0].sequence, 5);
}

// SQLite's own limit is a gigabyte, for a value and for a row.
TEST_F(StoreFailures, ToTakeAMessageThatIsTooLargeMakeItAGap) {
  constexpr int kLimit = 20'000;
  ASSERT_TRUE(write(session(1, "s")));
  sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, kLimit);
  const auto entry_size = [](const Write& write) {
    return std::get<MessagesWrite>(write).entry.size();
  };
  const std::size_t beside = entry_size(message("s", 1, std::string(kLimit, 'x'))) - kLimit;
  Sequence sequence = 0;
  for (const std::size_t size : {kLimit + 1u, kLimit + 0u, kLimit - 1000u}) {
    Write write_of_size = message("s", ++sequence, std::string(size - beside, 'x'));
    ASSERT_EQ(entry_size(write_of_size), size);
    const auto count = write(std::move(write_of_size));
    ASSERT_TRUE(count) << count.error().explanation;
    EXPECT_EQ(count->dropped, size < kLimit ? 0u : 1u) << size;
  }
  const auto page = store_->history(kSession, 0, 10, 1u << 20, {});
  ASSERT_TRUE(page) << page.error().explanation;
  ASSERT_EQ(page->messages.size(), 1u);
  EXPECT_EQ(page->messages[0].sequence, 3);
  ASSERT_EQ(page->gaps.size(), 1u);
  EXPECT_EQ(page->gaps[0].from, 1);
  EXPECT_EQ(page->gaps[0].to, 2);
}

TEST_F(StoreFailures, OfOneStretchLeaveNoneOfTheOthersOfItsFile) {
  const std::string file = journal_path(path_, 1);
  const std::string head = journal_head(store_->instance_id(), 1);
  constexpr std::size_t kFar = 1u << 20;
  constexpr std::uint32_t kWords = 20;
  std::string content = head + "words beside the bad1words of another one2";
  content.resize(kFar);
  content += "words that are bad 3";
  std::ofstream(file, std::ios::binary) << content;
  const auto near = static_cast<std::uint32_t>(head.size());
  // The bad ones are the first that are tried.
  leave_unused({{kFar, kWords}});
  leave_unused({{near, kWords + 1}, {kFar, kWords}});
  leave_unused({{near + kWords + 1, kWords + 1}});
  {
    const ShortFiles limit(kFar / 2);
    std::string told;
    for (int step = 0; step < 10; ++step) {
      const auto more = store_->erase_unused();
      if (!more) told = more.error().explanation;
    }
    EXPECT_THAT(told, HasSubstr(file));
    EXPECT_THAT(content_of(file), Not(HasSubstr("words beside")));
    EXPECT_THAT(content_of(file), Not(HasSubstr("words of another")));
    EXPECT_THAT(content_of(file), HasSubstr("words that are bad"));
    EXPECT_TRUE(store_->has_unused());
  }
  bool more = true;
  for (int step = 0; step < 10 && more; ++step) more = store_->erase_unused().value_or(true);
  EXPECT_FALSE(more);
  EXPECT_THAT(content_of(file), Not(HasSubstr("words")));
}

}  // namespace
}  // namespace relay::storage
