#include "backend/docker/reopened_way_out.hpp"

#include "backend/docker/stdio_carrier.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace relay {
namespace {

constexpr std::chrono::milliseconds kFirstReopening(100);
constexpr std::chrono::milliseconds kLongestBeforeReopening(10'000);

// Of a container that ends meanwhile nothing is opened: the session may have another one already.
Task<Result<void>> open_anew(std::shared_ptr<AttachedContainer> container, EgressCarrier carrier) {
  DockerContext& context = container->context;
  const auto prepared = co_await context.prepare_way_out(container->session, container->options);
  if (!prepared) co_return prepared;
  if (container->is_ending()) co_return Result<void>();
  const auto opened = context.open_door(container->session, *container->options, carrier);
  if (opened) container->carried_by = carrier;
  co_return opened;
}

Task<void> carry_again(std::shared_ptr<AttachedContainer> container) {
  if (container->carried_by == EgressCarrier::kStdio) co_await keep_carrying(std::move(container));
}

Task<void> keep_reopening(std::shared_ptr<AttachedContainer> container, EgressCarrier carrier) {
  auto pause = kFirstReopening;
  while (!container->carried_by) {
    co_await pause_while_it_lasts(*container, pause);
    pause = std::min(2 * pause, kLongestBeforeReopening);
    if (container->is_ending()) co_return;
    // What fails once more has been told.
    [[maybe_unused]] const auto opened = co_await open_anew(container, carrier);
    if (container->is_ending()) co_return;
  }
  container->log.info("the agent has its way out again");
  co_await carry_again(std::move(container));
}

}  // namespace

Task<void> reopen_way_out(std::shared_ptr<AttachedContainer> container, EgressCarrier carrier) {
  const auto opened = co_await open_anew(container, carrier);
  if (!opened) {
    container->log.warn("the agent has no way out, trying again until it has",
                        {{"reason", opened.error().explanation}});
  }
  TaskScope& background = container->context.background;
  const bool is_open = opened.has_value();
  background.spawn("way out", [container = std::move(container), carrier, is_open] {
    return is_open ? carry_again(container) : keep_reopening(container, carrier);
  });
}

}  // namespace relay
