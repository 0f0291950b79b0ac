// Calls something at the end of a scope, also when that is left by an exception or a cancellation.
#pragma once

#include <utility>

namespace relay {

template <typename Call>
class Finally {
 public:
  explicit Finally(Call call) : call_(std::move(call)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { call_(); }

 private:
  Call call_;
};

}  // namespace relay
