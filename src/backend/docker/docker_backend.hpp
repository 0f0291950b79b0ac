// One configured agent in containers of their own, through the Docker Engine API.
//
// open() is the start-up check: the abilities of the Engine, the workspaces and the image; what an
// earlier run of the same relay left is removed from then on, in the background. A backend that
// opened goes on when the Engine goes away: launch() fails with docker_not_available until it is
// back. Call shut_down() before destroying it; agents must have been stopped. Errors of launch():
// docker_not_available, image_not_found, container_start_failed, workspace_unavailable.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/docker/attached_container.hpp"
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_context.hpp"
#include "backend/docker/docker_host.hpp"
#include "backend/docker/start_limiter.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace relay {

struct PendingStart;

class DockerBackend final : public AgentBackend {
 public:
  // `host` outlives the backend. Nothing is left running on failure.
  static Task<Result<std::unique_ptr<DockerBackend>>> open(DockerHost& host,
                                                           ContainerOptions options,
                                                           KeepOfSession keep, Logger log);

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override;
  Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) override;
  Task<void> end_unwanted(SessionId session) override;
  Task<void> release(SessionId session) override;
  Task<void> shut_down() override;
  std::optional<Error> unavailable() const override;
  Task<std::optional<Error>> examine() override;
  Isolation isolation() const override { return Isolation::kContainer; }
  // How connections of agents reach the broker: "unix" or "stdio".
  std::string_view carrier() const { return carrier_name(context_.options->egress.carrier); }

  // Other options for starts from here on, in two steps. prepare() changes nothing: it checks what
  // open() checks of them, pulls the image when that is to be, and answers with what take() wants.
  // Containers that are there keep what they were made with. The base directory, the kind of home,
  // the helper, and what is the DockerHost's have to be the same.
  Task<Result<SharedContainerOptions>> prepare(ContainerOptions options);
  void take(SharedContainerOptions options) { context_.options = std::move(options); }

 private:
  // What is read from the files of an image, once.
  struct ImageInside {
    std::string id;
    std::string wanted_user;  // container.user
    ContainerUser user;
    std::shared_ptr<const std::string> home;  // ContainerPlan::image_home
  };

  struct Pull {
    Pull(asio::any_io_executor executor, std::chrono::milliseconds longest)
        : limit(longest), over(std::move(executor)) {}
    const std::chrono::milliseconds limit;
    Event over;
    std::optional<Result<void>> pulled;  // empty when it is over: it was broken off
  };

  DockerBackend(DockerHost& host, ContainerOptions options, Logger log);

  // startup_checks.cpp
  Task<Result<void>> check(KeepOfSession keep);
  void remove_leftovers(Leftovers left);
  // What becomes of directories that can't be removed.
  enum class OfTheRest { kIsTriedAgain, kIsLeft };
  Task<void> remove_in_turn(Leftovers left, OfTheRest rest);

  Task<Result<ImageInside>> check_image(SharedContainerOptions options, bool is_new);

  // image.cpp
  Task<Result<engine::ImageFacts>> find_image(SharedContainerOptions options, bool is_new);
  Task<Result<void>> pull(SharedContainerOptions options);
  std::shared_ptr<Pull> pull_under_way(const std::string& image) const;  // null: none
  bool is_known(const ContainerOptions& options, const engine::ImageFacts& image) const;
  Task<Result<ImageInside>> look_inside(SharedContainerOptions options, engine::ImageFacts image);
  Task<Result<ImageInside>> probe(SharedContainerOptions options, engine::ImageFacts image);
  Task<Result<ImageInside>> read_inside(SharedContainerOptions options, std::string container,
                                        engine::ImageFacts image);
  Task<Result<std::shared_ptr<const std::string>>> read_home(SharedContainerOptions options,
                                                             std::string container,
                                                             ContainerUser user);

  // docker_backend.cpp
  Task<void> run_start(std::shared_ptr<PendingStart> start);
  Task<void> run_out_of_time(std::shared_ptr<PendingStart> start);
  Task<void> run_next_start(std::shared_ptr<PendingStart> start);
  // Why a start can't begin yet.
  Error in_the_way(const SessionId& session) const;
  // Of one that failed: departs, behind the removal of a container that may be there.
  void undo(const PendingStart& start);

  // start_container.cpp
  Task<Result<std::unique_ptr<Agent>>> start_container(std::shared_ptr<PendingStart> start);
  Task<StartLimiter::Slot> wait_for_place(std::shared_ptr<PendingStart> start);
  Task<Result<void>> make_directories(LaunchSpec spec, ContainerUser user, WorkingDirectory where);
  Task<Result<void>> copy_directories(std::shared_ptr<PendingStart> start);
  Task<Result<ContainerPlan>> plan(LaunchSpec spec, SharedContainerOptions options);
  Task<Result<std::shared_ptr<AttachedContainer>>> create_and_start(SharedContainerOptions options,
                                                                    const ContainerPlan& plan);
  Task<Result<void>> fill_home(SharedContainerOptions options, std::string container,
                               const ContainerPlan& plan);
  Task<Result<void>> begin_to_carry(std::shared_ptr<AttachedContainer> container);
  void carry(const std::shared_ptr<AttachedContainer>& container);
  void watch_events(const std::shared_ptr<AttachedContainer>& container);
  void read_from(const std::shared_ptr<AttachedContainer>& container);

  // reattach.cpp
  bool is_own(const std::optional<engine::ContainerFacts>& facts, const SessionId& session) const;
  void discard_own(const SessionId& session);
  Task<void> discard_when_seen(SessionId session);
  void discard_unless_kept(const SessionId& session, const engine::ContainerState& state);
  Task<Result<std::shared_ptr<AttachedContainer>>> take_up(engine::ContainerFacts facts,
                                                           OutputPosition position,
                                                           bool& output_lost);
  Task<Error> ended_meanwhile(engine::ContainerFacts facts);

  // release.cpp
  Task<void> remove_directories(SessionId session, std::shared_ptr<Event> done);
  Task<Result<void>> remove_as_present(SessionId session);
  void remove_later(const SessionId& session);
  Task<void> remove_what_is_left();

  DockerContext context_;
  // Of the image that was used last: an image does not change under its id.
  std::optional<ImageInside> inside_;
  StartLimiter probing_;                                  // one at a time
  StartLimiter copying_;                                  // directories of forks
  std::map<std::string, std::shared_ptr<Pull>> pulling_;  // by image
  // Sessions whose directories could not be removed: tried again until they are gone. An agent that
  // is to go on with one of them removes them as well: Workspaces::is_going() tells.
  std::set<SessionId> left_;
  bool is_retrying_ = false;
  TaskScope retrying_;
};

}  // namespace relay
