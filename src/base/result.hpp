// A value or an Error. Expected failures travel as values; exceptions are for bugs.
#pragma once

#include "base/error.hpp"

#include <tl/expected.hpp>

#include <utility>

namespace relay {

// A class rather than an alias, because only a class can be [[nodiscard]].
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

}  // namespace relay
