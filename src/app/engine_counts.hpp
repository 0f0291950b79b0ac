// Counts what the Engine is asked.
#pragma once

#include "engine/call.hpp"
#include "metrics/metrics.hpp"

namespace relay::app {

// `metrics` outlives what it returns.
engine::CallObserver count_engine_calls(Metrics& metrics);

}  // namespace relay::app
