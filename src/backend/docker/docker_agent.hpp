// An agent in a container behind the Agent interface.
//
// The contract is that of backend/agent.hpp, and beyond it: a cancelled receive() or send() throws
// operation_aborted; send() fails with agent_exited; a destroyed agent that was not stopped is
// removed in the background. stop() never half-closes the input: with StdinOnce off that would only
// end the attach.
#pragma once

#include "backend/agent.hpp"
#include "backend/docker/attached_container.hpp"

#include <memory>
#include <string>

namespace relay {

class DockerAgent final : public Agent {
 public:
  DockerAgent(std::shared_ptr<AttachedContainer> container, std::string working_directory,
              std::chrono::steady_clock::time_point launched_at);
  ~DockerAgent() override;

  Task<Result<void>> send(std::span<const SharedBytes> messages) override;
  Task<std::optional<AgentOutput>> receive() override;
  Task<AgentExit> stop(std::chrono::milliseconds grace) override;
  void kill() noexcept override;
  bool leave() noexcept override;
  Task<std::optional<Error>> diagnose() override;
  Task<std::optional<AgentUsage>> usage() override;
  std::chrono::steady_clock::time_point launched_at() const override { return launched_at_; }
  LaunchTimes launch_times() const override { return container_->launch_times; }
  std::string stderr_tail() const override { return container_->stderr_text(); }
  const std::string& working_directory() const override { return working_directory_; }
  std::string description() const override { return "container " + container_->id.substr(0, 12); }
  AgentImage image() const override { return container_->image; }
  std::string_view carrier() const override;

 private:
  void begin_to_end(std::chrono::milliseconds grace);

  std::shared_ptr<AttachedContainer> container_;
  std::string working_directory_;
  std::chrono::steady_clock::time_point launched_at_;
};

}  // namespace relay
