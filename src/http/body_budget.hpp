// Memory for what is being received, shared by all connections of all ports: bytes.
//
// A body and a WebSocket message count with what has come of them, until they are whole and handed
// over, or given up. The budget outlives its shares.
#pragma once

#include <cstddef>

namespace relay::http {

class BodyBudget {
 public:
  explicit BodyBudget(std::size_t limit) : limit_(limit) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  std::size_t used() const { return used_; }

  // What one connection takes; given back at the end of its life.
  class Share {
   public:
    // Null: without a limit.
    explicit Share(BodyBudget* budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() {
      if (budget_ != nullptr) budget_->used_ -= bytes_;
    }

    // Takes or gives back the difference to `bytes`. False: there is not as much, and nothing was
    // taken.
    bool resize(std::size_t bytes) {
      if (budget_ == nullptr) return true;
      if (bytes > bytes_ && bytes - bytes_ > budget_->limit_ - budget_->used_) return false;
      budget_->used_ += bytes;
      budget_->used_ -= bytes_;
      bytes_ = bytes;
      return true;
    }

   private:
    BodyBudget* budget_;
    std::size_t bytes_ = 0;
  };

 private:
  std::size_t limit_;
  std::size_t used_ = 0;
};

}  // namespace relay::http
