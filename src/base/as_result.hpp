// What a task throws, but for a cancellation, as an error. For a task that is waited for beside
// another one: two are waited for until one of them has a result, and what is thrown is none.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <utility>

namespace relay {

inline Error thrown_error(const std::exception& failure) {
  return make_error(ErrorType::kInternalError, "the relay could not do it")
      .because(failure.what())
      .suggest("try again")
      .retryable();
}

template <class T>
Task<Result<T>> as_result(Task<Result<T>> task) {
  try {
    auto result = co_await std::move(task);
    co_return result;
  } catch (const asio::multiple_exceptions&) {
    throw;  // two that were waited for were cancelled
  } catch (const boost::system::system_error& failure) {
    if (failure.code() == asio::error::operation_aborted) throw;
    co_return thrown_error(failure);
  } catch (const std::exception& failure) {
    co_return thrown_error(failure);
  }
}

}  // namespace relay
