// One answer on its way from the storage thread to the coroutine on the loop that waits for it.
//
// The job owns the Wakeup, which owns the waiting coroutine; the coroutine holds only the place of
// the answer. So a cancelled waiter leaves a Wakeup that nobody minds, and a loop that is destroyed
// with one in its queue destroys the waiter too. It is destroyed on the loop only.
#pragma once

#include "base/async.hpp"
#include "storage/log_writer.hpp"

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace relay::storage {

template <class Answer, class Operation>
class AskingJob final : public Job {
 public:
  AskingJob(const asio::any_io_executor& loop, std::unique_ptr<Wakeup> answered,
            std::shared_ptr<std::optional<Answer>> place, Operation operation, bool wants_settled)
      : loop_(asio::prefer(loop, asio::execution::outstanding_work.tracked)),
        answered_(std::move(answered)),
        place_(std::move(place)),
        operation_(std::move(operation)),
        wants_settled_(wants_settled) {}

  void run(MessageStore& store, HeldWrites held) override {
    Answer answer = operation_(store, held);
    asio::post(loop_, [answered = std::move(answered_), place = std::move(place_),
                       answer = std::move(answer)]() mutable {
      place->emplace(std::move(answer));
      answered->notify();
    });
  }

  bool wants_settled_writes() const override { return wants_settled_; }

 private:
  asio::any_io_executor
      loop_;  // counts as work: run() of the loop goes on until the answer is there
  std::unique_ptr<Wakeup> answered_;
  std::shared_ptr<std::optional<Answer>> place_;
  Operation operation_;
  bool wants_settled_;
};

}  // namespace relay::storage
