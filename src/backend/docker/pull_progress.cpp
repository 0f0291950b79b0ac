#include "backend/docker/pull_progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay {
namespace {

constexpr std::size_t kMaxLayers = 1'000;
constexpr std::int64_t kMaxLayerBytes = std::int64_t{1} << 50;  // of one layer: sums of all fit

}  // namespace

std::optional<std::string> PullProgress::take(const engine::PullLine& line, Time now) {
  if (!line.layer.empty() && (layers_.contains(line.layer) || layers_.size() < kMaxLayers)) {
    const bool complete = line.status == "Pull complete" || line.status == "Already exists";
    // Not a layer: "latest: Pulling from library/node" carries the tag in the same place.
    const bool is_layer = !line.status.starts_with("Pulling from");
    if (is_layer) {
      Layer& layer = layers_[line.layer];
      if (line.status == "Downloading") {
        layer.current = std::clamp<std::int64_t>(line.current, 0, kMaxLayerBytes);
        layer.total = std::clamp<std::int64_t>(line.total, 0, kMaxLayerBytes);
      }
      if (line.status == "Download complete") layer.current = layer.total;
      layer.complete = layer.complete || complete;
    }
  }
  if (layers_.empty() || (last_ && now - *last_ < kPause)) return std::nullopt;
  last_ = now;
  std::size_t complete = 0;
  std::int64_t current = 0;
  std::int64_t total = 0;
  for (const auto& [id, layer] : layers_) {
    complete += layer.complete ? 1 : 0;
    current += layer.current;
    total += layer.total;
  }
  constexpr std::int64_t kMegabyte = 1'000'000;
  return fmt::format("{} of {} layers, {} of {} MB", complete, layers_.size(), current / kMegabyte,
                     total / kMegabyte);
}

}  // namespace relay
