// Agents as child processes of the relay: no isolation beyond a process group and a clean
// environment.
//
// Owns nothing of the agents it has launched; they may outlive it. Errors of launch():
// agent_start_failed and workspace_unavailable. A process that leaves its group (setsid) is not
// ended with its agent.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/process/process_options.hpp"
#include "backend/process/running_child.hpp"
#include "base/blocking_calls.hpp"

#include <memory>
#include <string>
#include <utility>

namespace relay {

class ProcessBackend final : public AgentBackend {
 public:
  // Takes what agents inherit from the relay's environment now. SIGPIPE must be ignored.
  ProcessBackend(asio::any_io_executor executor, ProcessOptions options, Logger log);

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override;
  // Always relay_restarted.
  Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) override;
  Task<void> end_unwanted(SessionId) override { co_return; }  // the relay's start has ended it
  Task<void> release(SessionId) override { co_return; }
  Task<void> shut_down() override { co_return; }
  std::optional<Error> unavailable() const override { return std::nullopt; }
  Task<std::optional<Error>> examine() override;
  Isolation isolation() const override { return Isolation::kProcess; }

  // Other options for starts from here on, in two steps: prepare() changes nothing and fails when
  // the program can't be started. `instance` has to be the same.
  using SharedOptions = std::shared_ptr<const ProcessOptions>;
  Task<Result<SharedOptions>> prepare(ProcessOptions options);
  void take(SharedOptions options) { options_ = std::move(options); }

 private:
  Task<Result<std::string>> find_program(SharedOptions options);

  asio::any_io_executor executor_;
  SharedOptions options_;
  EnvironmentList inherited_;
  EnvironmentList mark_;  // the next run knows by it what this one left behind
  std::string working_directory_;
  BlockingCalls calls_;
  std::shared_ptr<ScratchBuffer> scratch_;
  std::shared_ptr<UnreapedChildren> unreaped_;
  Logger log_;
};

}  // namespace relay
