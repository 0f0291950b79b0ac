// What is looked at before the first session of an agent: the workspaces, the image, and what an
// earlier run left, which goes in the background; and of other options again before they are taken.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/engine_abilities.hpp"
#include "base/finally.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace relay {

Task<Result<void>> DockerBackend::check(KeepOfSession keep) {
  DockerHost& host = context_.host;
  const auto opened = context_.workspaces.open();
  if (!opened) co_return opened.error();
  auto left = co_await host.find_leftovers(*context_.options, context_.workspaces, std::move(keep));
  if (!left) co_return left.error();
  const auto inside = co_await check_image(context_.options, true);
  if (!inside) {  // agents run on otherwise, perhaps in a relay that has no containers
    for (Leftovers::Container& container : left->containers) container.session.reset();
    co_await remove_in_turn(std::move(*left), OfTheRest::kIsLeft);
    co_return inside.error();
  }
  remove_leftovers(std::move(*left));
  context_.log.info("containers are used", {{"engine", host.description()},
                                            {"image", context_.options->image},
                                            {"image_id", inside->id},
                                            {"uid", inside->user.uid}});
  co_return Result<void>();
}

// What there is to remove may take long, and a start waits for none of it. A session that goes on
// meanwhile does: for its container as long as it is present, for its directories as they are
// going.
void DockerBackend::remove_leftovers(Leftovers left) {
  for (Leftovers::Container& container : left.containers) {
    if (container.session && context_.is_present(*container.session)) container.session.reset();
    if (container.session) context_.arrive(*container.session);
  }
  retrying_.spawn("remove what an earlier run left", [this, left = std::move(left)] {
    return remove_in_turn(left, OfTheRest::kIsTriedAgain);
  });
}

// Containers first: no agent writes any more to directories whose turn has come. Cut off with the
// relay's end; what is left then is the next start's.
Task<void> DockerBackend::remove_in_turn(Leftovers left, OfTheRest rest) {
  const bool is_tried_again = rest == OfTheRest::kIsTriedAgain;
  const auto end = left.containers.end();
  auto next = left.containers.begin();
  const Finally over([this, &next, end] {
    for (; next != end; ++next) {
      if (next->session) context_.depart(*next->session);
    }
  });
  for (; next != end; ++next) {
    const auto removed = co_await context_.engine.remove(next->id);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return;
    if (removed) {
      context_.log.info("removed a container of an earlier run", {{"container", next->name}});
    } else {
      context_.log.warn("a container of an earlier run can't be removed",
                        {{"container", next->name}, {"reason", removed.error().explanation}});
    }
    if (!next->session) continue;
    if (removed) {
      context_.depart(*next->session);
    } else {
      context_.discard(*next->session);  // tries again, and its agent is there until then
    }
  }
  for (const SessionId& session : left.directories) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return;
    if (!context_.workspaces.is_going(session)) continue;  // an agent goes on with new ones
    if (!context_.is_present(session)) {
      const auto removed = co_await remove_as_present(session);
      if (removed) {
        context_.log.info("removed the directories of an earlier run",
                          {{"session", session.value()}});
        continue;
      }
      const auto after = co_await asio::this_coro::cancellation_state;
      if (is_cancelled(after)) co_return;
      context_.log.warn(is_tried_again
                            ? "the directories of an earlier run are left, their removal is tried "
                              "again"
                            : "the directories of an earlier run are left to the next start that "
                              "can use its image",
                        {{"session", session.value()}, {"reason", removed.error().explanation}});
    }
    if (is_tried_again) remove_later(session);
  }
}

Task<Result<DockerBackend::ImageInside>> DockerBackend::check_image(SharedContainerOptions options,
                                                                    bool is_new) {
  auto image = co_await find_image(options, is_new);
  if (!image) co_return image.error();
  auto inside = co_await look_inside(options, std::move(*image));
  if (!inside) co_return inside.error();
  if (auto failure = mounted_over_home(*options, inside->user)) co_return *failure;
  if (auto failure = root_with_upstreams(*options, inside->user)) co_return *failure;
  if (const auto warning = root_on_host_files(*options, inside->user.uid)) {
    context_.host.warn_once(*warning);
  }
  co_return inside;
}

}  // namespace relay
