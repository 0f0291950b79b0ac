#include "backend/docker/attached_container.hpp"

#include "backend/docker/container_spec.hpp"
#include "backend/docker/exit_cause.hpp"
#include "backend/docker/stdio_carrier.hpp"
#include "protocol/frame.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <utility>

namespace relay {
namespace {

// A kill that was meant for the agent ends the container within this.
constexpr std::chrono::milliseconds kEndWouldFollow(1'000);

}  // namespace

AttachedContainer::AttachedContainer(DockerContext& shared_context,
                                     SharedContainerOptions options_it_has, SessionId session_id,
                                     std::string container_id, std::string its_log_driver,
                                     engine::ExitWatch exit_watch)
    : context(shared_context),
      options(std::move(options_it_has)),
      session(std::move(session_id)),
      id(std::move(container_id)),
      log(context.log.with("session", session.value()).with("container", id.substr(0, 12))),
      log_driver(std::move(its_log_driver)),
      watch(std::move(exit_watch)),
      output_ready(context.executor),
      room(context.executor),
      output_ended(context.executor),
      exited(context.executor),
      watch_changed(context.executor),
      over(context.executor),
      finished(context.executor),
      splitter_(options->max_line_bytes),
      tail_(options->max_stderr_bytes),
      stderr_lines_(options->stderr_lines_per_second) {}

AttachedContainer::AttachedContainer(DockerContext& shared_context,
                                     const SharedContainerOptions& options_it_has,
                                     SessionId session_id, std::string container_id,
                                     ContainerStreams streams, engine::ExitWatch exit_watch)
    : AttachedContainer(shared_context, options_it_has, std::move(session_id),
                        std::move(container_id), options_it_has->log_driver,
                        std::move(exit_watch)) {
  input_stream = std::move(streams.input);
  output_stream = std::move(streams.output);
}

AttachedContainer::AttachedContainer(DockerContext& shared_context,
                                     const engine::ContainerFacts& facts, ContainerStreams streams,
                                     engine::ExitWatch exit_watch)
    : AttachedContainer(shared_context, shared_context.options,
                        SessionId(facts.label(kSessionLabel)), facts.id, facts.log_driver,
                        std::move(exit_watch)) {
  tail_.append(streams.stderr_before);
  go_on_with(std::move(streams));
}

void AttachedContainer::go_on_with(ContainerStreams streams) {
  if (streams.input) input_stream = std::move(streams.input);
  output_stream = std::move(streams.output);
  frames_ = std::move(streams.frames);
  splitter_ = LineSplitter(options->max_line_bytes);  // it comes again from a line's beginning
  counter_ = OutputCounter(streams.position);
  is_logged_ = streams.is_log;
  may_be_in_a_line_ = streams.may_begin_in_a_line;
  take_stdout(streams.stdout_ahead);
  if (has_output()) output_ready.notify();
}

void AttachedContainer::take(std::string_view bytes) {
  if (stage == Stage::kIsLeft) return;  // the next run reads them
  while (true) {
    const auto piece = frames_.next(bytes);
    if (piece.bytes.empty()) break;
    if (piece.source == LogFrames::Source::kStderr) {
      tail_.append(piece.bytes);
      log_lines(stderr_lines_.push(piece.bytes, std::chrono::steady_clock::now()));
    } else {
      take_stdout(piece.bytes);
    }
  }
  if (has_output()) output_ready.notify();
}

void AttachedContainer::take_stdout(std::string_view bytes) {
  const std::size_t before = lines_.size();
  splitter_.push(bytes, lines_);
  counter_.take(bytes);
  if (may_be_in_a_line_ && lines_.size() > before) {
    may_be_in_a_line_ = false;
    // The end of a message is never a message. A whole one is the session's to judge.
    FrameLimits limits = kAccepted;
    limits.writer = Writer::kAgent;
    const auto begin = lines_.begin() + static_cast<std::ptrdiff_t>(before);
    if (!Frame::parse(*begin, limits)) lines_.erase(begin);
  }
  for (std::size_t index = before; index < lines_.size(); ++index) {
    if (is_stopping() && is_full()) {
      dropped_ += lines_.size() - index;
      lines_.resize(index);
      break;
    }
    ready_bytes_ += lines_[index].capacity() + sizeof(std::string);
  }
  oversized_ += splitter_.take_oversized();
}

void AttachedContainer::end_output() {
  if (stage != Stage::kIsLeft) splitter_.finish(lines_);
  log_lines(stderr_lines_.finish(std::chrono::steady_clock::now()));
  if (frames_.failed()) {
    log.error("the Engine's stream of output is not what it should be, closed",
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
  output.is_incomplete = std::exchange(is_incomplete_, false);
  output.position = counter_.position();
  if (is_full()) room.notify();
  ready_bytes_ = 0;
  return output;
}

void AttachedContainer::cut_input() {
  input = Input::kIsCut;
  input_stream->close();
}

void AttachedContainer::close_streams() {
  input_stream->close();
  output_stream->close();
  watch.close();
  if (carrier) carrier->close();
  over.happen();
}

void AttachedContainer::let_go(Stage as) {
  stage = as;
  room.notify();
  watch_changed.notify();
  context.events.forget(id);
  close_streams();
}

void AttachedContainer::notice(Error error) {
  if (notices_.size() < kMaxNotices) notices_.push_back(std::move(error));
  output_ready.notify();
}

void AttachedContainer::lose_output(Error why) {
  is_incomplete_ = true;
  notice(std::move(why));
}

std::string AttachedContainer::stderr_text() const {
  std::string text = tail_.text();
  return options->redact ? options->redact(std::move(text)) : text;
}

void AttachedContainer::log_lines(const StderrLines::Output& output) const {
  if (output.suppressed > 0) {
    log.info("agent stderr: lines left out", {{"count", output.suppressed}});
  }
  const auto& redact = options->redact;
  for (const std::string& line : output.lines) {
    log.info("agent stderr", {{"line", redact ? redact(line) : line}});
  }
}

Task<void> pause_while_it_lasts(AttachedContainer& container, std::chrono::milliseconds pause) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto gone = container.over.wait();
  auto clock = sleep_for(pause);
  co_await (std::move(gone) || std::move(clock));
}

Task<void> tell_of_oom(std::shared_ptr<AttachedContainer> container) {
  using namespace boost::asio::experimental::awaitable_operators;
  // When it was the agent itself, its end says so.
  auto exited = container->exited.wait();
  auto clock = sleep_for(kEndWouldFollow);
  co_await (std::move(exited) || std::move(clock));
  container->oom = AttachedContainer::Oom::kHappened;
  if (container->exited.happened() || container->is_stopping()) co_return;
  DockerContext& context = container->context;
  engine::ContainerUsage now;
  const auto usage = co_await context.engine.usage(container->id);
  if (usage && *usage) now = **usage;
  Error error = memory_exceeded(*container->options, now);
  container->log.warn("a process of the agent was killed for memory",
                      {{"key", "container.memory_limit"}});
  container->notice(std::move(error));
}

}  // namespace relay
