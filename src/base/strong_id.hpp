// Ids that the compiler keeps apart.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace relay {

// A value of type Value that cannot be mistaken for another kind of id.
template <class Tag, class Value>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(Value value) : value_(std::move(value)) {}
  const Value& value() const { return value_; }
  auto operator<=>(const StrongId&) const = default;

 private:
  Value value_{};
};

// "sess_" and 32 hex digits.
using SessionId = StrongId<struct SessionIdTag, std::string>;

}  // namespace relay

template <class Tag, class Value>
struct std::hash<relay::StrongId<Tag, Value>> {
  std::size_t operator()(const relay::StrongId<Tag, Value>& id) const noexcept {
    return std::hash<Value>{}(id.value());
  }
};
