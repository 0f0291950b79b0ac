#include "backend/docker/container_streams.hpp"

#include "backend/docker/log_place.hpp"
#include "http/deadline.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <utility>

namespace relay {
namespace {

// What is in a log comes at once, unless the Engine is busy: then it may be silent for so long. An
// agent's output waits for it, and at a start so does the relay.
constexpr std::chrono::seconds kEngineIsBusy(10);
// Without them the end of an agent is told all the same.
constexpr std::chrono::seconds kLastWords(3);
// A log may be rotated between two looks at it; then Docker may also cut off who reads it.
constexpr int kLooks = 4;

engine::LogSelection of_log(bool output, bool errors) {
  engine::LogSelection wanted;
  wanted.output = output;
  wanted.errors = errors;
  return wanted;
}

// Podman gives the times in another form, and follows a log without repeating anything.
LogFrames::Times times_of(const DockerContext& context) {
  return context.host.is_podman() ? LogFrames::Times::kNo : LogFrames::Times::kYes;
}

struct LogBytes {
  std::string bytes;  // empty: nothing more comes
  bool cut = false;   // and it is not the end
  bool silent = false;
};

Task<LogBytes> read_log(const asio::any_io_executor& executor, http::Stream& stream,
                        std::chrono::milliseconds silence) {
  const http::Deadline deadline(executor, silence, [&stream] { stream.close(); });
  auto read = co_await stream.read_some();
  LogBytes log;
  log.silent = deadline.expired();
  log.cut = !read || log.silent;
  if (read) log.bytes = std::move(*read);
  co_return log;
}

// Hands the pieces of what was read to `on_stdout` and `on_stderr`.
void take_apart(LogFrames& frames, std::string_view bytes, const auto& on_stdout,
                const auto& on_stderr) {
  while (true) {
    const LogFrames::Piece piece = frames.next(bytes);
    if (piece.bytes.empty()) return;
    if (piece.source == LogFrames::Source::kStderr) {
      on_stderr(piece.bytes);
    } else {
      on_stdout(piece.bytes);
    }
  }
}

// Fails as well when it could not look at all of the log.
Task<Result<LogSearch>> search(DockerContext& context, const std::string& id,
                               bool newlines_are_lost, std::uint64_t last_line) {
  LogFrames frames(newlines_are_lost, LogFrames::Times::kNo);
  const auto wanted = of_log(true, false);
  const auto stream = co_await context.engine.logs(id, wanted);
  if (!stream) co_return stream.error();
  LogSearch searching(last_line);
  while (true) {
    const LogBytes log = co_await read_log(context.executor, **stream, kEngineIsBusy);
    if (log.cut) {
      co_return make_error(ErrorType::kInternalError,
                           "the container's log could not be read whole");
    }
    if (log.bytes.empty()) break;
    take_apart(
        frames, log.bytes, [&](std::string_view piece) { searching.take(piece); },
        [](std::string_view) {});
  }
  co_return searching;
}

enum class Reading { kReached, kOtherLog, kCutOff, kSilent };

// Follows the log and reads it up to the place, as long as it is not silent for `silence`.
Task<Result<Reading>> read_up_to(DockerContext& context, const std::string& id, LogPlace place,
                                 std::chrono::milliseconds silence, ContainerStreams& streams) {
  auto wanted = of_log(true, true);
  wanted.follow = true;
  wanted.times = times_of(context) == LogFrames::Times::kYes;
  auto stream = co_await context.engine.logs(id, wanted);
  if (!stream) co_return stream.error();
  streams.output = std::move(*stream);
  streams.stdout_ahead.clear();
  StderrTail errors(context.options->max_stderr_bytes);
  LogSkip skip(place);
  while (skip.state() == LogSkip::State::kBefore) {
    const LogBytes log = co_await read_log(context.executor, *streams.output, silence);
    if (log.silent) co_return Reading::kSilent;
    if (log.bytes.empty()) co_return Reading::kCutOff;
    take_apart(
        streams.frames, log.bytes,
        [&](std::string_view piece) { streams.stdout_ahead += skip.take(piece); },
        [&](std::string_view piece) { errors.append(piece); });
  }
  streams.stderr_before = errors.text();
  co_return skip.state() == LogSkip::State::kReached ? Reading::kReached : Reading::kOtherLog;
}

// False: the log does not have the place, or is not to be trusted.
Task<Result<bool>> follow_log(DockerContext& context, const std::string& id, bool newlines_are_lost,
                              OutputPosition position, std::chrono::milliseconds silence,
                              ContainerStreams& streams) {
  streams.position = position;
  LogPlace place{position.bytes, position.first_line, position.last_line};
  bool is_known_to_be_there = false;
  for (int look = 0; look < kLooks; ++look) {
    streams.frames = LogFrames(newlines_are_lost, times_of(context));
    const std::chrono::milliseconds patience = is_known_to_be_there ? kEngineIsBusy : silence;
    const auto reading = co_await read_up_to(context, id, place, patience, streams);
    if (!reading) co_return reading.error();
    if (*reading == Reading::kReached) co_return true;
    if (*reading == Reading::kCutOff) continue;
    if (*reading == Reading::kSilent && is_known_to_be_there) co_return false;
    const auto found = co_await search(context, id, newlines_are_lost, position.last_line);
    if (!found) co_return found.error();
    if (*reading == Reading::kSilent) {
      is_known_to_be_there = found->place() && found->place()->bytes >= place.bytes;
      if (!is_known_to_be_there) co_return false;
      continue;
    }
    streams.lost = true;
    // Its beginning was read, and not what comes last: it has a hole, and nobody knows where.
    const bool has_hole = !found->place() && found->first_line() == position.first_line;
    if (has_hole) co_return false;
    // Else everything in it is later.
    place = found->place().value_or(LogPlace());
    streams.position = {place.bytes, place.first_line, place.last_line};
    streams.may_begin_in_a_line = !found->place();
  }
  co_return false;
}

}  // namespace

Task<Result<ContainerStreams>> attach_streams(DockerContext& context, std::string id) {
  using namespace boost::asio::experimental::awaitable_operators;
  ContainerStreams streams;
  // Podman closes the agent's stdin with the first attach that ends.
  if (context.host.is_podman()) {
    auto both = co_await context.engine.attach(id);
    if (!both) co_return both.error();
    streams.output = std::move(*both);
    streams.input = streams.output;
    co_return streams;
  }
  auto attaching_output = context.engine.attach_output(id);
  auto attaching_input = context.engine.attach_input(id);
  auto [output, input] = co_await (std::move(attaching_output) && std::move(attaching_input));
  if (!output) co_return output.error();
  if (!input) co_return input.error();
  streams.output = std::move(*output);
  streams.input = std::move(*input);
  co_return streams;
}

Task<Result<ContainerStreams>> open_output(DockerContext& context, std::string id,
                                           std::string log_driver, OutputPosition position,
                                           std::chrono::milliseconds silence) {
  ContainerStreams streams;
  const bool newlines_are_lost = log_driver != "json-file";
  const auto followed =
      co_await follow_log(context, id, newlines_are_lost, position, silence, streams);
  if (!followed && followed.error().type == ErrorType::kDockerNotAvailable) {
    co_return followed.error();
  }
  if (!followed || !*followed) co_return co_await open_live_output(context, id, position);
  streams.is_log = true;
  co_return streams;
}

Task<Result<ContainerStreams>> open_live_output(DockerContext& context, std::string id,
                                                OutputPosition position) {
  auto output = co_await context.engine.attach_output(id);
  if (!output) co_return output.error();
  ContainerStreams streams;
  streams.output = std::move(*output);
  streams.position = position;
  streams.lost = true;
  streams.may_begin_in_a_line = true;
  co_return streams;
}

Task<Result<std::shared_ptr<http::Stream>>> open_input(DockerContext& context, std::string id) {
  auto attached = co_await context.engine.attach_input(id);
  if (!attached) co_return attached.error();
  std::shared_ptr<http::Stream> input = std::move(*attached);
  const auto written = co_await input->write("\n");
  if (!written) co_return written.error();
  co_return input;
}

Task<std::string> logged_errors(DockerContext& context, std::string id) {
  StderrTail errors(context.options->max_stderr_bytes);
  const auto wanted = of_log(false, true);
  const auto stream = co_await context.engine.logs(id, wanted);
  if (!stream) co_return std::string();
  LogFrames frames;
  while (true) {
    const LogBytes log = co_await read_log(context.executor, **stream, kLastWords);
    if (log.bytes.empty()) break;
    take_apart(
        frames, log.bytes, [](std::string_view) {},
        [&](std::string_view piece) { errors.append(piece); });
  }
  const std::string text = errors.text();
  const SharedContainerOptions options = context.options;
  co_return options->redact ? options->redact(text) : text;
}

}  // namespace relay
