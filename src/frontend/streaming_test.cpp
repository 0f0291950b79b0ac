#include "frontend/streaming.hpp"

#include "frontend/held_exchange.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::frontend {
namespace {

class StreamingTest : public ::testing::Test {
 protected:
  void start(std::function<bool(const Delivery&)> is_last) {
    asio::co_spawn(io_,
                   stream_outbox(peer_, outbox_, {}, std::chrono::hours(1), std::move(is_last)),
                   asio::bind_cancellation_slot(stop_.slot(), [this](std::exception_ptr thrown) {
                     failure_ = thrown;
                     ended_ = true;
                   }));
    go_on();
    EXPECT_FALSE(ended_);
  }
  void push(std::string text) {
    outbox_->push({SharedBytes(std::move(text)), 1, DeliveryKind::kUpdate});
  }
  // Until everybody waits.
  void go_on() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_{1};
  std::uint64_t overflows_ = 0;
  std::shared_ptr<Outbox> outbox_ =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits{}, overflows_);
  HeldExchange peer_{io_.get_executor()};
  asio::cancellation_signal stop_;
  std::exception_ptr failure_;
  bool ended_ = false;
};

TEST_F(StreamingTest, LeavesNothingWhereItIsCancelledAsAMessageComes) {
  start([this](const Delivery&) {
    stop_.emit(asio::cancellation_type::terminal);
    return false;
  });
  push("too late");
  go_on();
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(failure_);
  EXPECT_FALSE(peer_.finished);
  peer_.gone = nullptr;
  EXPECT_EQ(outbox_.use_count(), 1) << "nobody keeps the stream alive any more";
}

TEST_F(StreamingTest, LeavesNothingWhereSomethingIsThrown) {
  start([](const Delivery&) -> bool { throw std::runtime_error("boom"); });
  push("a message");
  go_on();
  EXPECT_TRUE(ended_);
  EXPECT_THROW(std::rethrow_exception(failure_), std::runtime_error);
  peer_.gone = nullptr;
  EXPECT_EQ(outbox_.use_count(), 1) << "nobody keeps the stream alive any more";
}

}  // namespace
}  // namespace relay::frontend
