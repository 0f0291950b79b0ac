#include "backend/docker/attached_container.hpp"

#include "backend/docker/exit_cause.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <utility>

namespace relay {
namespace {

// A kill that was meant for the agent ends the container within this.
constexpr std::chrono::milliseconds kEndWouldFollow(1'000);

}  // namespace

AttachedContainer::AttachedContainer(DockerContext& shared_context, SessionId session_id,
                                     std::string container_id,
                                     std::unique_ptr<http::Stream> attach_stream,
                                     engine::ExitWatch exit_watch)
    : context(shared_context),
      session(std::move(session_id)),
      id(std::move(container_id)),
      log(context.log.with("session", session.value()).with("container", id.substr(0, 12))),
      stream(std::move(attach_stream)),
      watch(std::move(exit_watch)),
      output_ready(context.executor),
      room(context.executor),
      output_ended(context.executor),
      exited(context.executor),
      finished(context.executor),
      splitter_(context.options.max_line_bytes),
      tail_(context.options.max_stderr_bytes),
      stderr_lines_(context.options.stderr_lines_per_second) {}

void AttachedContainer::take(std::string_view bytes) {
  const std::size_t before = lines_.size();
  while (true) {
    const auto piece = demuxer_.next(bytes);
    if (piece.bytes.empty()) break;
    if (piece.source == engine::StreamDemuxer::Source::kStderr) {
      tail_.append(piece.bytes);
      log_lines(stderr_lines_.push(piece.bytes, std::chrono::steady_clock::now()));
    } else {
      splitter_.push(piece.bytes, lines_);
    }
  }
  for (std::size_t index = before; index < lines_.size(); ++index) {
    if (stopping && is_full()) {
      dropped_ += lines_.size() - index;
      lines_.resize(index);
      break;
    }
    ready_bytes_ += lines_[index].capacity() + sizeof(std::string);
  }
  oversized_ += splitter_.take_oversized();
  if (has_output()) output_ready.notify();
}

void AttachedContainer::end_output() {
  splitter_.finish(lines_);
  log_lines(stderr_lines_.finish(std::chrono::steady_clock::now()));
  if (demuxer_.failed()) {
    log.error("the Engine's attach stream is not what it should be, closed",
              {{"engine", context.engine.address()}});
  }
  if (dropped_ > 0) log.warn("agent wrote too much while it ended", {{"dropped_lines", dropped_}});
  output_ended.happen();
  output_ready.notify();
}

AgentOutput AttachedContainer::take_output() {
  AgentOutput output;
  output.lines = std::exchange(lines_, {});
  output.oversized_lines = std::exchange(oversized_, 0);
  output.notices = std::exchange(notices_, {});
  if (is_full()) room.notify();
  ready_bytes_ = 0;
  return output;
}

void AttachedContainer::notice(Error error) {
  if (notices_.size() < kMaxNotices) notices_.push_back(std::move(error));
  output_ready.notify();
}

std::string AttachedContainer::stderr_text() const {
  std::string text = tail_.text();
  return context.options.redact ? context.options.redact(std::move(text)) : text;
}

void AttachedContainer::log_lines(const StderrLines::Output& output) const {
  if (output.suppressed > 0) {
    log.info("agent stderr: lines left out", {{"count", output.suppressed}});
  }
  const auto& redact = context.options.redact;
  for (const std::string& line : output.lines) {
    log.info("agent stderr", {{"line", redact ? redact(line) : line}});
  }
}

Task<void> pump_output(std::shared_ptr<AttachedContainer> container) {
  while (true) {
    const auto bytes = co_await container->stream->read_some();
    if (!bytes || bytes->empty()) break;
    container->take(*bytes);
    while (container->is_full() && !container->stopping) {
      const bool woken = co_await container->room.wait();
      if (!woken) break;
    }
  }
  container->end_output();
}

Task<void> watch_exit(std::shared_ptr<AttachedContainer> container) {
  container->exit_code = co_await container->watch.wait();
  container->exited.happen();
}

Task<void> tell_of_oom(std::shared_ptr<AttachedContainer> container) {
  using namespace boost::asio::experimental::awaitable_operators;
  // When it was the agent itself, its end says so.
  auto exited = container->exited.wait();
  auto clock = sleep_for(kEndWouldFollow);
  co_await (std::move(exited) || std::move(clock));
  container->telling_of_oom = false;
  if (container->exited.happened() || container->stopping) co_return;
  DockerContext& context = container->context;
  engine::ContainerUsage now;
  const auto usage = co_await context.engine.usage(container->id);
  if (usage && *usage) now = **usage;
  Error error = memory_exceeded(context.options, now);
  container->log.warn("a process of the agent was killed for memory",
                      {{"key", "container.memory_limit"}});
  container->notice(std::move(error));
}

}  // namespace relay
