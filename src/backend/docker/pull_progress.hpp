// What a pull has done so far, as a line for people every few seconds. Pure: time is passed in.
#pragma once

#include "engine/values.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace relay {

class PullProgress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kPause{2};

  // A line when one is due: "3 of 7 layers, 41 of 120 MB".
  std::optional<std::string> take(const engine::PullLine& line, Time now);

 private:
  struct Layer {
    std::int64_t current = 0;
    std::int64_t total = 0;
    bool complete = false;
  };

  std::map<std::string, Layer> layers_;  // at most kMaxLayers
  std::optional<Time> last_;
};

}  // namespace relay
