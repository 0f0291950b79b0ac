// Calls something at the end of a scope, also when that is left by an exception or a cancellation.
#pragma once

#include <functional>
#include <utility>

namespace relay {

class Finally {
 public:
  explicit Finally(std::function<void()> call) : call_(std::move(call)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { call_(); }

 private:
  std::function<void()> call_;
};

}  // namespace relay
