#include "session/outbox.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::ElementsAre;

class OutboxTest : public testing::Test {
 protected:
  static Delivery bytes(const std::string& text) { return {SharedBytes(text), 0, {}}; }

  void make(std::size_t max_bytes, std::size_t max_frames) {
    outbox_.emplace(loop_.get_executor(), OutboxLimits{max_bytes, max_frames}, overflows_);
  }
  void turn() {
    loop_.restart();
    loop_.poll();
  }
  // Reads until the outbox ends; notes each batch, and "end".
  void read() {
    asio::co_spawn(
        loop_, [this]() -> Task<void> { return reader(); },
        asio::bind_cancellation_slot(stop_.slot(), asio::detached));
    turn();
  }
  Task<void> reader() {
    std::vector<Delivery> batch;
    while (true) {
      const bool open = co_await outbox_->pop(batch, most_);
      if (!open) break;
      seen_.push_back(joined(batch));
    }
    seen_.push_back("end");
  }
  static std::string joined(const std::vector<Delivery>& batch) {
    std::string text;
    for (const Delivery& delivery : batch) text += delivery.bytes.view();
    return text;
  }
  // What is there.
  std::string pop(std::size_t most) {
    std::vector<Delivery> batch;
    const auto take = [&]() -> Task<void> {
      [[maybe_unused]] const bool open = co_await outbox_->pop(batch, most);
    };
    asio::co_spawn(loop_, take(), asio::detached);
    turn();
    return joined(batch);
  }

  asio::io_context loop_{1};
  asio::cancellation_signal stop_;
  std::uint64_t overflows_ = 0;
  std::optional<Outbox> outbox_;
  std::vector<std::string> seen_;
  std::size_t most_ = kTakenBytes;  // that the reader takes at a time
};

TEST_F(OutboxTest, GivesTheAnswersThatAnOverflowDropsAndThoseAfterItToWhoTakesThem) {
  make(100, 3);
  std::vector<std::string> dropped;
  outbox_->when_answers_drop(
      [&](const Delivery& answer) { dropped.emplace_back(answer.bytes.view()); });
  const auto push = [&](const char* text, DeliveryKind kind) {
    return outbox_->push({SharedBytes(std::string(text)), 0, kind});
  };
  EXPECT_TRUE(push("an answer", DeliveryKind::kResponse));
  EXPECT_TRUE(push("an update", DeliveryKind::kUpdate));
  EXPECT_TRUE(push("of an attach", DeliveryKind::kAttachResponse));
  EXPECT_THAT(dropped, ElementsAre());
  EXPECT_FALSE(push("one too many", DeliveryKind::kResponse));
  EXPECT_FALSE(push("a question", DeliveryKind::kRequest));
  EXPECT_FALSE(push("late", DeliveryKind::kResponse));
  EXPECT_THAT(dropped, ElementsAre("an answer", "of an attach", "one too many", "late"));
  EXPECT_EQ(overflows_, 1u);
}

TEST_F(OutboxTest, IsClosedWithoutAWordOfAnswers) {
  make(100, 3);
  std::vector<std::string> dropped;
  outbox_->when_answers_drop(
      [&](const Delivery& answer) { dropped.emplace_back(answer.bytes.view()); });
  outbox_->close();
  EXPECT_FALSE(outbox_->push({SharedBytes(std::string("late")), 0, DeliveryKind::kResponse}));
  EXPECT_THAT(dropped, ElementsAre());
}

TEST_F(OutboxTest, GivesWhatIsQueuedInOneBatch) {
  make(100, 100);
  outbox_->push(bytes("a"));
  outbox_->push(bytes("b"));
  read();
  outbox_->push(bytes("c"));
  EXPECT_THAT(seen_, ElementsAre("ab"));
  turn();
  EXPECT_THAT(seen_, ElementsAre("ab", "c"));
  outbox_->push(bytes("d"));
  outbox_->close();
  turn();
  EXPECT_THAT(seen_, ElementsAre("ab", "c", "d", "end"));
  EXPECT_EQ(outbox_->end(), Outbox::End::kClosed);
  EXPECT_FALSE(outbox_->push(bytes("late")));
}

TEST_F(OutboxTest, GivesNoMoreThanIsAskedForAndCountsTheRest) {
  make(12, 100);
  for (const char* const text : {"ab", "cd", "larger", "e"}) outbox_->push(bytes(text));
  EXPECT_EQ(pop(4), "abcd");
  EXPECT_EQ(outbox_->queued_bytes(), 7u);
  EXPECT_EQ(outbox_->queued_frames(), 2u);
  EXPECT_EQ(outbox_->queued().front().bytes.view(), "larger");
  EXPECT_TRUE(outbox_->push(bytes("fghij"))) << "so much has left";
  EXPECT_EQ(pop(4), "larger") << "at least one";
  EXPECT_EQ(pop(0), "e");
  EXPECT_EQ(pop(5), "fghij");
  EXPECT_EQ(outbox_->queued_bytes(), 0u);
  EXPECT_EQ(outbox_->queued_frames(), 0u);
  outbox_->push(bytes("0123456"));
  outbox_->push(bytes("789"));
  EXPECT_EQ(pop(1), "0123456");
  EXPECT_FALSE(outbox_->push(bytes("one too many")));
  EXPECT_EQ(outbox_->end(), Outbox::End::kOverflow);
}

TEST_F(OutboxTest, BoundsInNumberWhatWaitsBehindABatch) {
  make(100, 2);
  outbox_->push(bytes("a"));
  outbox_->push(bytes("b"));
  EXPECT_EQ(pop(1), "a");
  EXPECT_TRUE(outbox_->push(bytes("c")));
  EXPECT_FALSE(outbox_->push(bytes("d")));
}

TEST_F(OutboxTest, WakesAReaderThatTakesALittleOnlyForWhatIsNew) {
  make(100, 100);
  most_ = 2;
  for (const char* const text : {"a", "b", "c"}) outbox_->push(bytes(text));
  read();
  EXPECT_THAT(seen_, ElementsAre("ab", "c"));
  for (const char* const text : {"d", "e", "f", "g", "h"}) outbox_->push(bytes(text));
  turn();
  EXPECT_THAT(seen_, ElementsAre("ab", "c", "de", "fg", "h"));
  outbox_->push(bytes("ijk"));
  outbox_->push(bytes("l"));
  outbox_->close();
  turn();
  EXPECT_THAT(seen_, ElementsAre("ab", "c", "de", "fg", "h", "ijk", "l", "end"));
}

TEST_F(OutboxTest, DropsOnlyWhatHasNotBeenTaken) {
  make(100, 100);
  std::vector<std::string> dropped;
  outbox_->when_answers_drop(
      [&](const Delivery& answer) { dropped.emplace_back(answer.bytes.view()); });
  for (const char* const text : {"a", "b", "c", "d"}) {
    outbox_->push({SharedBytes(std::string(text)), 0, DeliveryKind::kResponse});
  }
  EXPECT_EQ(pop(1), "a");
  outbox_->overflow();
  EXPECT_THAT(dropped, ElementsAre("b", "c", "d"));
}

// Observations of the histogram.
std::uint64_t taken(const metrics::RelayTimeHistogram& times) {
  std::uint64_t count = 0;
  for (const std::uint64_t bucket : times.buckets()) count += bucket;
  return count;
}

TEST_F(OutboxTest, TellsTheTimeOfABatchWhenItsReaderComesForMore) {
  const auto since = std::chrono::steady_clock::now();
  metrics::RelayTimeHistogram times;
  make(100, 100);
  outbox_->time_from(since, times);  // nothing is queued: nothing is timed
  outbox_->push(bytes("a"));
  std::vector<Delivery> batch;
  const auto take = [&] {
    asio::co_spawn(
        loop_,
        [&]() -> Task<void> {
          [[maybe_unused]] const bool open = co_await outbox_->pop_all(batch);
        },
        asio::detached);
    turn();
  };
  take();
  EXPECT_EQ(taken(times), 0U);
  outbox_->push(bytes("b"));
  outbox_->time_from(since, times);
  outbox_->time_from(since, times);  // one at a time
  take();
  EXPECT_EQ(taken(times), 0U) << "it is being written";
  take();
  EXPECT_EQ(taken(times), 1U);
  EXPECT_GT(times.sum_seconds(), 0);
  outbox_->push(bytes("c"));
  turn();
  outbox_->push(bytes("d"));
  outbox_->time_from(since, times);
  outbox_->overflow();
  turn();
  EXPECT_EQ(taken(times), 1U) << "what was dropped was never handed on";
}

TEST_F(OutboxTest, TellsTheTimeOfWhatIsTakenInParts) {
  metrics::RelayTimeHistogram times;
  make(100, 100);
  outbox_->push(bytes("a"));
  outbox_->push(bytes("b"));
  outbox_->time_from(std::chrono::steady_clock::now(), times);
  outbox_->push(bytes("c"));
  EXPECT_EQ(pop(1), "a");
  EXPECT_EQ(pop(1), "b");
  EXPECT_EQ(taken(times), 0U) << "the second is being written";
  EXPECT_EQ(pop(1), "c");
  EXPECT_EQ(taken(times), 1U);
}

TEST_F(OutboxTest, OverflowsByBytesAtItsEdge) {
  make(4, 100);
  EXPECT_TRUE(outbox_->push(bytes("ab")));
  EXPECT_TRUE(outbox_->push(bytes("cd")));
  EXPECT_EQ(outbox_->queued_bytes(), 4u);
  EXPECT_TRUE(outbox_->push(bytes(""))) << "an empty one has room";
  EXPECT_FALSE(outbox_->push(bytes("e")));
  EXPECT_EQ(outbox_->end(), Outbox::End::kOverflow);
  EXPECT_EQ(outbox_->queued_bytes(), 0u);
  EXPECT_FALSE(outbox_->push(bytes("")));
  outbox_->close();
  EXPECT_EQ(outbox_->end(), Outbox::End::kOverflow) << "the first end counts";
  EXPECT_EQ(overflows_, 1u);
  read();
  EXPECT_THAT(seen_, ElementsAre("end"));
}

TEST_F(OutboxTest, OverflowsByFramesAtItsEdge) {
  make(100, 2);
  EXPECT_TRUE(outbox_->push(bytes("a")));
  EXPECT_TRUE(outbox_->push(bytes("b")));
  EXPECT_FALSE(outbox_->push(bytes("c")));
  EXPECT_EQ(outbox_->end(), Outbox::End::kOverflow);
}

TEST_F(OutboxTest, CountsOnlyWhatWaits) {
  make(4, 2);
  read();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(outbox_->push(bytes("abc")));
    turn();
  }
  EXPECT_EQ(seen_.size(), 10u);
}

TEST_F(OutboxTest, EndsAWaitingReaderByOverflow) {
  make(1, 1);
  read();
  outbox_->push(bytes("ab"));
  turn();
  EXPECT_THAT(seen_, ElementsAre("end"));
}

TEST_F(OutboxTest, APokeGivesAnEmptyBatchOnce) {
  make(100, 100);
  read();
  outbox_->poke();
  turn();
  turn();
  EXPECT_THAT(seen_, ElementsAre(""));
  outbox_->push(bytes("a"));
  outbox_->poke();
  turn();
  EXPECT_THAT(seen_, ElementsAre("", "a"));
}

TEST_F(OutboxTest, CancellingTheReaderEndsItsWait) {
  make(100, 100);
  read();
  stop_.emit(asio::cancellation_type::terminal);
  turn();
  EXPECT_THAT(seen_, ElementsAre("end"));
  EXPECT_EQ(outbox_->end(), Outbox::End::kOpen);
}

class OutboxRoom : public OutboxTest {
 protected:
  void wait_for_room() {
    asio::co_spawn(
        loop_, [this]() -> Task<void> { co_await outbox_->room(); },
        asio::bind_cancellation_slot(stop_room_.slot(),
                                     [this](std::exception_ptr) { has_room_ = true; }));
    turn();
  }
  asio::cancellation_signal stop_room_;
  bool has_room_ = false;
};

TEST_F(OutboxRoom, IsThereUpToHalfOfEitherLimit) {
  make(10, 4);
  outbox_->push(bytes("abcde"));
  wait_for_room();
  EXPECT_TRUE(has_room_);
  has_room_ = false;
  outbox_->push(bytes("f"));
  wait_for_room();
  EXPECT_FALSE(has_room_);
  read();
  EXPECT_TRUE(has_room_);
}

TEST_F(OutboxRoom, CountsFramesToo) {
  make(100, 4);
  for (int i = 0; i < 3; ++i) outbox_->push(bytes(""));
  wait_for_room();
  EXPECT_FALSE(has_room_);
  outbox_->push(bytes(""));
  outbox_->push(bytes("one too many"));
  turn();
  EXPECT_TRUE(has_room_) << "nobody waits for an outbox that has ended";
}

TEST_F(OutboxRoom, IsGivenToOneAtATimeInTurn) {
  make(10, 100);
  outbox_->push(bytes("abcdef"));
  std::vector<std::string> pages;
  for (const char* name : {"a", "b", "c"}) {
    asio::co_spawn(
        loop_,
        [this, &pages, name]() -> Task<void> {
          for (int page = 0; page < 2; ++page) {
            const Outbox::Room room = co_await outbox_->room();
            co_await asio::post(loop_, asio::use_awaitable);  // reads its page
            EXPECT_TRUE(outbox_->push(bytes("123456")));
            pages.push_back(name);
          }
        },
        asio::detached);
  }
  for (int reads = 0; reads < 7; ++reads) {
    turn();
    outbox_->take_all();
  }
  EXPECT_THAT(pages, ElementsAre("a", "b", "c", "a", "b", "c"));
  EXPECT_EQ(outbox_->end(), Outbox::End::kOpen);
}

TEST_F(OutboxRoom, IsGivenToTheNextWhenOneIsCancelledAsItIsWoken) {
  make(10, 100);
  std::optional<Outbox::Room> taken;
  const auto take = [&]() -> Task<void> {
    Outbox::Room room = co_await outbox_->room();
    taken.emplace(std::move(room));
  };
  asio::co_spawn(loop_, take(), asio::detached);
  turn();
  ASSERT_TRUE(taken);
  wait_for_room();
  bool next_has_room = false;
  const auto wait = [&]() -> Task<void> {
    const Outbox::Room room = co_await outbox_->room();
    next_has_room = true;
  };
  asio::co_spawn(loop_, wait(), asio::detached);
  turn();
  outbox_->take_all();  // wakes both, in vain
  stop_room_.emit(asio::cancellation_type::terminal);
  turn();
  EXPECT_TRUE(has_room_) << "it has left";
  EXPECT_FALSE(next_has_room);
  taken.reset();
  turn();
  EXPECT_TRUE(next_has_room);
}

TEST_F(OutboxRoom, StopsWaitingWhenClosed) {
  make(2, 100);
  outbox_->push(bytes("ab"));
  wait_for_room();
  outbox_->close();
  turn();
  EXPECT_TRUE(has_room_);
}

TEST_F(OutboxRoom, StopsWaitingWhenCancelled) {
  make(2, 100);
  outbox_->push(bytes("ab"));
  wait_for_room();
  EXPECT_FALSE(has_room_);
  stop_room_.emit(asio::cancellation_type::terminal);
  turn();
  EXPECT_TRUE(has_room_);
}

}  // namespace
}  // namespace relay
