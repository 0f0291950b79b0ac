// What is said of sessions in the journal: what of it counts, and for how long.
#include "storage/log_fixture.hpp"
#include "storage/message_store.hpp"
#include "storage/open_database.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace relay::storage {
namespace {

constexpr std::uint32_t kMega = 1'000'000;

class SessionEntries : public testing::Test {
 protected:
  SessionEntries() {
    std::ofstream(path_) << "";
    start();
  }

  void start() {
    store_.reset();
    auto database = open_database(path_, Durability::kRelaxed);
    if (!database) throw std::runtime_error(database.error().explanation);
    auto store = MessageStore::make(std::move(*database), path_, Durability::kRelaxed);
    if (!store) throw std::runtime_error(store.error().explanation);
    store_ = std::move(*store);
  }
  void write(Write write) {
    PendingWrites writes;
    writes.push(std::move(write), store_->written_order() + 1);
    const auto count = store_->write(writes.entries());
    ASSERT_TRUE(count) << count.error().explanation;
  }
  // An entry that is `bytes` large, in a file that is gone.
  std::vector<EntryPlace> place(std::uint32_t bytes) {
    const std::uint32_t offset = std::exchange(end_, end_ + bytes);
    return {{segment_, offset, bytes}};
  }
  void end_file() { ASSERT_TRUE(store_->read_up_to(++segment_)); }
  void create(std::int64_t number, std::uint32_t bytes) {
    write(
        std::make_unique<SessionCreate>(SessionCreate{number, session_record("s"), place(bytes)}));
  }
  void change(std::uint32_t bytes) {
    write(std::make_unique<SessionChange>(SessionChange{session_record("s"), place(bytes)}));
  }
  void use(std::uint32_t bytes) {
    write(std::make_unique<UseWrite>(UseWrite{SessionId("s"), "{}", place(bytes)}));
  }
  void close(std::uint32_t bytes) {
    write(std::make_unique<SessionClose>(
        SessionClose{SessionId("s"), "closed", wall_now(), 0, place(bytes)}));
  }
  // Of the journal; the database itself is less than one.
  std::int64_t megabytes() { return store_->size().bytes / kMega; }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  std::unique_ptr<MessageStore> store_;
  std::uint32_t segment_ = 1;
  std::uint32_t end_ = 100;
};

TEST_F(SessionEntries, CountUntilTheyAreOutdatedAndTheirFileHasEnded) {
  EXPECT_EQ(megabytes(), 0);
  create(1, 2 * kMega);
  EXPECT_EQ(megabytes(), 2);
  change(30 * kMega);
  use(500 * kMega);
  EXPECT_EQ(megabytes(), 532);
  change(40 * kMega);
  use(600 * kMega);
  EXPECT_EQ(megabytes(), 1172);
  EXPECT_FALSE(store_->has_unused());
  end_file();
  EXPECT_EQ(megabytes(), 642) << "2 that it was made, 40 how it is, 600 what it has used";
  EXPECT_TRUE(store_->has_unused());
  close(1 * kMega);
  start();
  EXPECT_EQ(megabytes(), 643);
  change(50 * kMega);
  EXPECT_EQ(megabytes(), 653) << "the file of the last one has ended already";
  // Opened again.
  create(2, 3 * kMega);
  close(1 * kMega);
  create(3, 5 * kMega);
  end_file();
  EXPECT_EQ(megabytes(), 607);
  close(1 * kMega);
  ASSERT_TRUE(store_->erase(SessionId("s")));
  EXPECT_EQ(megabytes(), 0);
}

TEST_F(SessionEntries, GoWithTheirFile) {
  create(1, 2 * kMega);
  change(30 * kMega);
  store_->segment_ended(1);
  EXPECT_EQ(megabytes(), 0);
  bool more = true;
  for (int step = 0; step < 10 && more; ++step) more = store_->erase_unused().value_or(true);
  EXPECT_FALSE(more);
}

TEST_F(SessionEntries, OfASessionThatIsForgottenAreTakenOffTheDisk) {
  create(1, 2 * kMega);
  write(std::make_unique<SessionClose>(SessionClose{
      SessionId("s"), "closed", wall_now() - std::chrono::minutes(2), 0, place(1 * kMega)}));
  const HasMore nothing;
  const auto step = store_->forget_empty({0, 0, 1}, wall_now(), 0, nothing);
  ASSERT_TRUE(step) << step.error().explanation;
  EXPECT_EQ(step->deleted, 1);
  EXPECT_EQ(megabytes(), 0);
  EXPECT_TRUE(store_->has_unused());
}

// Else nobody would know of its bytes.
TEST_F(SessionEntries, OfASessionThatIsGoneAreTakenOffTheDisk) {
  change(2 * kMega);
  EXPECT_EQ(megabytes(), 0);
  EXPECT_TRUE(store_->has_unused());
}

}  // namespace
}  // namespace relay::storage
