#include "app/engine_counts.hpp"

namespace relay::app {
namespace {

metrics::EngineCall label_of(engine::Call call) {
  switch (call) {
    case engine::Call::kVersion:
      return metrics::EngineCall::kVersion;
    case engine::Call::kInfo:
      return metrics::EngineCall::kInfo;
    case engine::Call::kImage:
      return metrics::EngineCall::kImage;
    case engine::Call::kPull:
      return metrics::EngineCall::kPull;
    case engine::Call::kCreate:
      return metrics::EngineCall::kCreate;
    case engine::Call::kAttach:
      return metrics::EngineCall::kAttach;
    case engine::Call::kLogs:
      return metrics::EngineCall::kLogs;
    case engine::Call::kWait:
      return metrics::EngineCall::kWait;
    case engine::Call::kStart:
      return metrics::EngineCall::kStart;
    case engine::Call::kKill:
      return metrics::EngineCall::kKill;
    case engine::Call::kRemove:
      return metrics::EngineCall::kRemove;
    case engine::Call::kInspect:
      return metrics::EngineCall::kInspect;
    case engine::Call::kList:
      return metrics::EngineCall::kList;
    case engine::Call::kStats:
      return metrics::EngineCall::kStats;
    case engine::Call::kFiles:
      return metrics::EngineCall::kFiles;
    case engine::Call::kEvents:
      return metrics::EngineCall::kEvents;
  }
  return metrics::EngineCall::kVersion;
}

metrics::EngineError label_of(engine::CallFailure failure) {
  switch (failure) {
    case engine::CallFailure::kUnreachable:
      return metrics::EngineError::kUnreachable;
    case engine::CallFailure::kTimeout:
      return metrics::EngineError::kTimeout;
    case engine::CallFailure::kNotFound:
      return metrics::EngineError::kNotFound;
    case engine::CallFailure::kRefused:
      return metrics::EngineError::kRefused;
    case engine::CallFailure::kFailed:
      return metrics::EngineError::kFailed;
  }
  return metrics::EngineError::kFailed;
}

}  // namespace

engine::CallObserver count_engine_calls(Metrics& metrics) {
  return [&metrics](const engine::CallOutcome& outcome) {
    metrics.engine_calls[label_of(outcome.call)].observe(outcome.took);
    if (outcome.failure) ++metrics.engine_errors[label_of(*outcome.failure)];
  };
}

}  // namespace relay::app
