#include "engine/call.hpp"

#include "engine/failure.hpp"

#include <cerrno>

namespace relay::engine {

std::optional<CallFailure> failure_of_status(int status) {
  if (status < 400) return std::nullopt;
  if (status == 404) return CallFailure::kNotFound;
  return status < 500 ? CallFailure::kRefused : CallFailure::kFailed;
}

CallFailure failure_of(const Error& error) {
  return number_of(error, "errno") == ETIMEDOUT ? CallFailure::kTimeout : CallFailure::kUnreachable;
}

}  // namespace relay::engine
