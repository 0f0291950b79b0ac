// Until when more of a request has to come: a pause, a whole request and a rate have limits. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace relay::http {

struct BodyPace {
  using Clock = std::chrono::steady_clock;

  std::chrono::milliseconds pause{60'000};   // the longest; also a start that no rate is asked of
  std::chrono::milliseconds total{600'000};  // from the first byte of the head
  std::size_t least_rate = 1024;             // bytes of the body a second; 0: any

  // `began`: the first byte of the head, `in_body`: the end of the head, `received`: of the body.
  Clock::time_point deadline(Clock::time_point began, Clock::time_point in_body,
                             std::size_t received, Clock::time_point now) const {
    Clock::time_point until = std::min(now + pause, began + total);
    if (least_rate == 0) return until;
    const std::chrono::milliseconds bought(received * 1000 / least_rate);
    return std::min(until, in_body + pause + bought);
  }
};

}  // namespace relay::http
