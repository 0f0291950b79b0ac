#include "http/server_core.hpp"

#include <fmt/chrono.h>

namespace relay::http {

std::string_view ServerCore::date() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now != date_of_) {
    date_of_ = now;
    const std::time_t value = std::chrono::system_clock::to_time_t(now);
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(value));
  }
  return date_;
}

std::string ServerCore::error_body(int status, std::string_view explanation) const {
  if (options.error_body) return options.error_body(status, explanation);
  return fmt::format("{{\"error\":\"{}\"}}", reason_phrase(status));
}

}  // namespace relay::http
