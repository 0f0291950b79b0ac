// A value that is read where it is used, and replaced as a whole while others hold on to it: what
// the configuration says, for parts that go on when it is read again. All on one thread.
#pragma once

#include <memory>
#include <utility>

namespace relay {

// Copies share the value. References to it stay good as long as one copy is there; what they say
// may change over every co_await.
template <class T>
class Live {
 public:
  Live(T value = {}) : value_(std::make_shared<T>(std::move(value))) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  T* operator->() { return value_.get(); }

  void replace(T value) { *value_ = std::move(value); }

 private:
  std::shared_ptr<T> value_;
};

}  // namespace relay
