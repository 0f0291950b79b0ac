// Agents in containers of their own, through the Docker Engine API.
//
// open() is the start-up check: the Engine, its version and abilities, the image, the workspaces,
// and what an earlier run of the same relay left. A backend that opened goes on when the Engine
// goes away: launch() fails with docker_not_available until it is back. Call shut_down() before
// destroying it; agents must have been stopped. Errors of launch(): docker_not_available,
// image_not_found, container_start_failed, workspace_unavailable.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/docker/attached_container.hpp"
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_context.hpp"
#include "backend/docker/start_limiter.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace relay {

// Tells whether the directories of a session that has no agent are to be kept.
using KeepDirectories = std::function<Task<bool>(SessionId)>;

class DockerBackend final : public AgentBackend {
 public:
  // `instance` names this relay across its runs. Nothing is left running on failure.
  static Task<Result<std::unique_ptr<DockerBackend>>> open(asio::any_io_executor executor,
                                                           ContainerOptions options,
                                                           std::string instance,
                                                           KeepDirectories keep, Logger log);

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override;
  Task<void> release(SessionId session) override;
  Task<void> shut_down() override;
  std::optional<Error> unavailable() const override { return context_.events.failure(); }
  Isolation isolation() const override { return Isolation::kContainer; }

  // For the start-up lines: "Docker 20.10.24 (API 1.41) at unix:///var/run/docker.sock".
  const std::string& engine() const { return engine_; }

 private:
  struct Start;

  DockerBackend(asio::any_io_executor executor, ContainerOptions options, http::Endpoint endpoint,
                std::string instance, Logger log);

  // startup_checks.cpp
  Task<Result<void>> check(KeepDirectories keep);
  Task<Result<void>> check_engine();
  Task<Result<void>> remove_leftovers(KeepDirectories keep);

  // image.cpp
  Task<Result<engine::ImageFacts>> find_image(bool at_start);
  Task<Result<void>> pull();
  Task<Result<ContainerUser>> find_user(engine::ImageFacts image);

  // docker_backend.cpp
  Task<void> run_start(std::shared_ptr<Start> start);
  Task<Result<std::unique_ptr<Agent>>> start_container(std::shared_ptr<Start> start);
  Task<Result<ContainerPlan>> plan(LaunchSpec spec);
  Task<Result<std::shared_ptr<AttachedContainer>>> create_and_start(const ContainerPlan& plan);
  Task<void> remove_directories(SessionId session, std::shared_ptr<Event> done);

  DockerContext context_;
  std::size_t starts_at_once_;
  StartLimiter limiter_;
  std::string engine_;
  bool podman_ = false;
  // By image id: an image does not change under its id.
  std::map<std::string, ContainerUser> users_;
  StartLimiter probing_;  // one at a time
  std::shared_ptr<Event> pulling_;
  TaskScope following_;
};

}  // namespace relay
