// A child process behind the Agent interface.
//
// The contract is that of backend/agent.hpp, and beyond it:
// - receive() may give an output without lines: only too long ones came. It ends when stdout ends,
//   when stop() begins, or when the process has ended and what it wrote has been delivered.
// - A cancelled receive() or send() throws operation_aborted. A send() that is cancelled in the
//   middle of a message makes the input unusable: what follows must be stop().
// - send() fails with agent_exited.
// - A destroyed agent that was not stopped is killed with its group at once.
// - A process that can't be killed is left behind: nothing waits for it any more. It is reaped when
//   it has ended and another agent starts or ends.
#pragma once

#include "backend/agent.hpp"
#include "backend/process/running_child.hpp"

#include <csignal>
#include <memory>
#include <span>
#include <string>

namespace relay {

class ProcessAgent final : public Agent {
 public:
  ProcessAgent(std::shared_ptr<RunningChild> child, std::string working_directory,
               LaunchTimes launch_times = {});
  ~ProcessAgent() override;

  Task<Result<void>> send(std::span<const SharedBytes> messages) override;
  Task<std::optional<AgentOutput>> receive() override;
  Task<AgentExit> stop(std::chrono::milliseconds grace) override;
  void kill() noexcept override { child_->signal_group(SIGKILL); }
  bool leave() noexcept override { return false; }
  Task<std::optional<Error>> diagnose() override { co_return std::nullopt; }
  Task<std::optional<AgentUsage>> usage() override;
  std::chrono::steady_clock::time_point launched_at() const override { return launched_at_; }
  LaunchTimes launch_times() const override { return launch_times_; }
  std::string stderr_tail() const override { return child_->stderr_text(); }
  const std::string& working_directory() const override { return working_directory_; }
  std::string description() const override;
  std::string_view carrier() const override { return child_->way_out ? "loopback" : ""; }

 private:
  const std::chrono::steady_clock::time_point launched_at_ = std::chrono::steady_clock::now();
  const WallTime started_at_ = wall_now();
  std::shared_ptr<RunningChild> child_;
  std::string working_directory_;
  LaunchTimes launch_times_;
};

}  // namespace relay
