#include "app/engine_counts.hpp"

namespace relay::app {

engine::CallObserver count_engine_calls(Metrics& metrics) {
  return [&metrics](const engine::CallOutcome& outcome) {
    metrics.engine_calls[outcome.call].observe(outcome.took);
    if (outcome.failure) ++metrics.engine_errors[*outcome.failure];
  };
}

}  // namespace relay::app
