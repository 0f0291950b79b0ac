#include "frontend/acp/acp_stream.hpp"

#include "frontend/held_exchange.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class AcpStreamTest : public ::testing::Test {
 protected:
  ~AcpStreamTest() override {
    for (const auto& stream : streams_) stream->close();
    for (const auto& peer : peers_) peer->release();
    go_on();
    EXPECT_EQ(running_, 0);
  }

  std::shared_ptr<AcpStream> make_stream(AcpStream::Numbering numbering) {
    streams_.push_back(
        std::make_shared<AcpStream>(io_.get_executor(), OutboxLimits{}, overflows_, numbering));
    return streams_.back();
  }
  HeldExchange& serve(AcpStream& stream, std::optional<std::int64_t> last = {}) {
    peers_.push_back(std::make_unique<HeldExchange>(io_.get_executor()));
    HeldExchange& peer = *peers_.back();
    start([&stream, &peer, last, this]() -> Task<void> {
      http::Response head;
      known_ = co_await stream.serve(peer, std::move(head), std::chrono::hours(1), last);
    });
    return peer;
  }
  void start(std::function<Task<void>()> body) {
    ++running_;
    asio::co_spawn(io_, std::move(body), [this](std::exception_ptr failure) {
      EXPECT_FALSE(failure);
      --running_;
    });
  }
  // Until everybody waits.
  void go_on() {
    io_.restart();
    io_.poll();
  }
  static void push(AcpStream& stream, std::int64_t sequence, std::string text,
                   DeliveryKind kind = DeliveryKind::kUpdate) {
    stream.outbox()->push({SharedBytes(std::move(text)), sequence, kind});
  }

  asio::io_context io_{1};
  std::uint64_t overflows_ = 0;
  std::vector<std::shared_ptr<AcpStream>> streams_;
  std::vector<std::unique_ptr<HeldExchange>> peers_;
  int running_ = 0;
  bool known_ = true;  // what the serve() said that ended last
};

TEST_F(AcpStreamTest, HasTheAnswersBehindAnEventWhereverTheyAre) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  HeldExchange& peer = serve(*stream);
  go_on();
  push(*stream, 0, "read, without a number", DeliveryKind::kResponse);
  push(*stream, 1, "read", DeliveryKind::kResponse);
  push(*stream, 2, "kept", DeliveryKind::kResponse);
  push(*stream, 3, "an update");
  push(*stream, 0, "kept, without a number", DeliveryKind::kResponse);
  go_on();
  for (int number = 4; number < 1100; ++number) push(*stream, number, "an update");
  go_on();
  push(*stream, 1100, "written", DeliveryKind::kResponse);
  go_on();
  peer.holds = true;
  push(*stream, 1101, "being written", DeliveryKind::kResponse);
  go_on();
  push(*stream, 1102, "waiting", DeliveryKind::kAttachResponse);
  const auto answers = [&](std::int64_t event) {
    std::vector<std::string> texts;
    for (const Delivery& one : stream->answers_behind(event)) texts.emplace_back(one.bytes.view());
    return texts;
  };
  EXPECT_THAT(answers(1),
              ElementsAre("kept", "kept, without a number", "written", "being written", "waiting"));
  EXPECT_THAT(answers(3),
              ElementsAre("kept, without a number", "written", "being written", "waiting"));
  EXPECT_THAT(answers(1100), ElementsAre("being written", "waiting"));
  stream->abandon();
  peer.release();
  go_on();
  EXPECT_TRUE(peer.finished);
  EXPECT_THAT(peer.got, Not(HasSubstr("waiting")));
}

TEST_F(AcpStreamTest, TakesTheAnswersOfTheOneBefore) {
  for (const bool still_writes : {false, true}) {
    const auto before = make_stream(AcpStream::Numbering::kSequence);
    HeldExchange& cut = serve(*before);
    go_on();
    push(*before, 1, "written", DeliveryKind::kResponse);
    go_on();
    cut.holds = true;
    push(*before, 2, "cut", DeliveryKind::kResponse);
    push(*before, 3, "an update");
    go_on();
    push(*before, 4, "dropped", DeliveryKind::kResponse);  // the outbox's owner has it
    if (!still_writes) cut.gone();
    go_on();
    EXPECT_EQ(before->has_reader(), still_writes);
    before->outbox()->overflow();
    const auto after = make_stream(AcpStream::Numbering::kSequence);
    after->take_answers(*before);
    push(*after, 9, "new");
    EXPECT_EQ(after->answers_behind(0).size(), 2U);
    const HeldExchange& next = serve(*after);
    go_on();
    EXPECT_THAT(next.got, HasSubstr("id: 2\ndata: cut\n\nid: 9\ndata: new\n\n"));
    EXPECT_THAT(next.got, Not(HasSubstr("an update")));
  }
}

TEST_F(AcpStreamTest, KeepsABoundedNumberOfAnswersAndOfTheirBytes) {
  const auto many = make_stream(AcpStream::Numbering::kSequence);
  serve(*many);
  for (int number = 1; number <= 2500; ++number) {
    push(*many, number, std::to_string(number), DeliveryKind::kResponse);
  }
  go_on();
  const auto kept = many->answers_behind(0);
  ASSERT_EQ(kept.size(), 2000U) << "1,000 of what was written last, and 1,000 answers before";
  EXPECT_EQ(kept.front().sequence, 501);
  const auto large = make_stream(AcpStream::Numbering::kSequence);
  serve(*large);
  for (const int number : {1, 2, 3}) {
    push(*large, number, std::string(600'000, 'x'), DeliveryKind::kResponse);
    go_on();
  }
  EXPECT_EQ(large->answers_behind(0).size(), 2U);
  EXPECT_EQ(large->held_bytes(), 1'200'000U);
}

TEST_F(AcpStreamTest, IsLeftByAReaderWhoseExchangeThrows) {
  const auto stream = make_stream(AcpStream::Numbering::kCounted);
  HeldExchange broken(io_.get_executor());
  broken.breaks = true;
  std::exception_ptr thrown;
  http::Response head;
  asio::co_spawn(io_, stream->serve(broken, head, std::chrono::hours(1)),
                 [&](std::exception_ptr failure, bool) { thrown = failure; });
  go_on();
  EXPECT_THROW(std::rethrow_exception(thrown), std::runtime_error);
  EXPECT_FALSE(stream->has_reader());
  push(*stream, 0, "first");
  const HeldExchange& next = serve(*stream);
  go_on();
  EXPECT_THAT(next.got, HasSubstr("data: first"));
}

TEST_F(AcpStreamTest, KnowsAnEventOfAWriteThatWasCut) {
  const auto stream = make_stream(AcpStream::Numbering::kCounted);
  HeldExchange& cut = serve(*stream);
  go_on();
  cut.holds = true;
  for (const char* const text : {"first", "second", "third"}) push(*stream, 0, text);
  go_on();
  const HeldExchange& next = serve(*stream, 1);
  go_on();
  EXPECT_TRUE(cut.finished);
  EXPECT_THAT(next.got, Not(HasSubstr("first")));
  EXPECT_THAT(next.got, HasSubstr("id: 2\ndata: second\n\nid: 3\ndata: third\n\n"));
}

TEST_F(AcpStreamTest, WritesAllAgainThatWasCutForAReaderWithoutAPlace) {
  const auto stream = make_stream(AcpStream::Numbering::kCounted);
  HeldExchange& cut = serve(*stream);
  go_on();
  cut.holds = true;
  for (const char* const text : {"first", "second"}) push(*stream, 0, text);
  go_on();
  cut.gone();
  go_on();
  EXPECT_FALSE(stream->has_reader());
  EXPECT_FALSE(stream->is_idle());
  const HeldExchange& next = serve(*stream);
  go_on();
  EXPECT_THAT(next.got, HasSubstr("id: 1\ndata: first\n\nid: 2\ndata: second\n\n"));
}

TEST_F(AcpStreamTest, LeavesNoGapWhereTheReaderBeforeStillWrites) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  const HeldExchange& first = serve(*stream);
  for (const std::int64_t sequence : {11, 12}) push(*stream, sequence, "early");
  go_on();
  EXPECT_THAT(first.got, HasSubstr("id: 12"));
  push(*stream, 13, "late");  // its reader is woken before it hears of the next one
  const HeldExchange& next = serve(*stream, 11);
  go_on();
  EXPECT_THAT(next.got, HasSubstr("id: 12\ndata: early\n\nid: 13\ndata: late\n\n"));
  EXPECT_THAT(next.got, Not(HasSubstr("id: 11")));
}

TEST_F(AcpStreamTest, AnswersNothingToAReaderWhosePlaceIsNotKnown) {
  const auto stream = make_stream(AcpStream::Numbering::kCounted);
  push(*stream, 0, "first");
  const HeldExchange& first = serve(*stream);
  go_on();
  const HeldExchange& lost = serve(*stream, 2);
  go_on();
  EXPECT_FALSE(known_);
  EXPECT_FALSE(lost.started || lost.finished);
  push(*stream, 0, "second");
  go_on();
  EXPECT_THAT(first.got, HasSubstr("id: 2\ndata: second\n\n"));
}

TEST_F(AcpStreamTest, ForwardsNoMoreWhenItsOwnMessagesAreLost) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  const auto to =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits{1u << 20, 1000}, overflows_);
  EXPECT_TRUE(stream->expect_answer());
  start([stream, to] { return stream->forward_answers(to); });
  go_on();
  stream->outbox()->overflow();
  go_on();
  EXPECT_EQ(to->end(), Outbox::End::kOpen) << "there the client is told";
  EXPECT_FALSE(stream->has_reader());
}

TEST_F(AcpStreamTest, ForwardsNoMoreThanTheOtherOutboxTakes) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  const OutboxLimits limits{1u << 20, 1000};
  const auto to = std::make_shared<Outbox>(io_.get_executor(), limits, overflows_);
  for (std::int64_t sequence = 1; sequence <= 40; ++sequence) {
    push(*stream, sequence, std::string(100'000, 'h'));
  }
  push(*stream, 0, "the answer", DeliveryKind::kAttachResponse);
  push(*stream, 41, "later");
  EXPECT_TRUE(stream->expect_answer());
  start([stream, to] { return stream->forward_answers(to); });
  go_on();
  EXPECT_TRUE(stream->has_reader());
  EXPECT_FALSE(stream->is_read());
  std::vector<Delivery> got;
  for (;;) {
    go_on();
    ASSERT_EQ(to->end(), Outbox::End::kOpen);
    std::vector<Delivery> some = to->take_all();
    if (some.empty()) break;
    got.insert(got.end(), some.begin(), some.end());
  }
  ASSERT_EQ(got.size(), 41u);
  EXPECT_EQ(got.back().bytes.view(), "the answer");
  EXPECT_FALSE(stream->has_reader());
}

class AcpStreamForwards : public AcpStreamTest {
 protected:
  static void answer(AcpStream& stream, std::string text) {
    push(stream, 0, std::move(text), DeliveryKind::kAttachResponse);
  }
  void forward(const std::shared_ptr<AcpStream>& stream) {
    start([stream, to = to_] { return stream->forward_answers(to); });
    go_on();
  }
  std::vector<std::string> got() {
    std::vector<std::string> texts;
    for (const Delivery& one : to_->take_all()) texts.emplace_back(one.bytes.view());
    return texts;
  }

  std::shared_ptr<Outbox> to_ =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits{}, overflows_);
};

TEST_F(AcpStreamForwards, EveryAnswerThatIsDue) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  EXPECT_TRUE(stream->expect_answer());
  forward(stream);
  push(*stream, 1, "the history");
  go_on();
  EXPECT_FALSE(stream->expect_answer()) << "it is being forwarded";
  push(*stream, 1, "again");
  answer(*stream, "first");
  answer(*stream, "second");
  push(*stream, 2, "later");
  go_on();
  EXPECT_THAT(got(), ElementsAre("the history", "again", "first", "second"));
  EXPECT_FALSE(stream->has_reader());
}

TEST_F(AcpStreamForwards, AnAnswerThatIsAskedForAsTheLastOneLeaves) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  EXPECT_TRUE(stream->expect_answer());
  forward(stream);
  answer(*stream, "first");
  io_.restart();
  while (got().empty()) ASSERT_EQ(io_.run_one(), 1U);
  EXPECT_TRUE(stream->has_reader()) << "it is on its way out";
  EXPECT_TRUE(stream->expect_answer());
  forward(stream);
  answer(*stream, "second");
  go_on();
  EXPECT_THAT(got(), ElementsAre("second"));
  EXPECT_FALSE(stream->has_reader());
}

TEST_F(AcpStreamForwards, AnAnswerThatAPeerWasCutFromToo) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  HeldExchange& cut = serve(*stream);
  go_on();
  cut.holds = true;
  EXPECT_FALSE(stream->expect_answer()) << "a peer reads it";
  answer(*stream, "first");
  go_on();
  cut.gone();
  go_on();
  EXPECT_TRUE(stream->expect_answer());
  forward(stream);
  answer(*stream, "second");
  go_on();
  EXPECT_THAT(got(), ElementsAre("first", "second"));
  EXPECT_FALSE(stream->has_reader());
}

TEST_F(AcpStreamForwards, AnswersThatWereToComeOnTheStreamBeforeIt) {
  const auto before = make_stream(AcpStream::Numbering::kSequence);
  EXPECT_TRUE(before->expect_answer());
  EXPECT_TRUE(before->expect_answer());
  answer(*before, "first");
  const auto again = before->answers_behind(0);
  ASSERT_EQ(again.size(), 1U);
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  stream->expect_answers_of(*before, again);
  EXPECT_TRUE(stream->expect_answer());
  forward(stream);
  for (const char* const text : {"first", "second", "third"}) {
    answer(*stream, text);
    go_on();
  }
  EXPECT_THAT(got(), ElementsAre("first", "second", "third"));
  EXPECT_FALSE(stream->has_reader());
}

TEST_F(AcpStreamTest, LeavesInItsOutboxWhatIsNotBeingWritten) {
  const auto stream = make_stream(AcpStream::Numbering::kSequence);
  HeldExchange& peer = serve(*stream);
  go_on();
  peer.holds = true;
  for (int number = 1; number <= 40; ++number) push(*stream, number, std::string(100'000, 'x'));
  go_on();
  EXPECT_GE(stream->outbox()->queued_bytes() + kTakenBytes, 4'000'000U);
  peer.release();
  go_on();
  EXPECT_EQ(stream->outbox()->queued_bytes(), 0U);
  EXPECT_THAT(peer.got, HasSubstr("id: 40\n"));
}

}  // namespace
}  // namespace relay::frontend
