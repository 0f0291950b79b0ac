#include "backend/docker/stdio_carrier.hpp"

#include "backend/docker/way_out.hpp"
#include "http/deadline.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace relay {
namespace {

constexpr std::size_t kMaxErrors = 1024;
constexpr std::chrono::milliseconds kTimeToBegin(10'000);
constexpr std::chrono::milliseconds kFirstCarrierPause(100);
constexpr std::chrono::milliseconds kLongestCarrierPause(10'000);

Error does_not_carry(const std::string& said, bool is_late) {
  std::string text = "acp-agent-init in the agent's container does not carry its requests";
  if (is_late) text += ": it did not begin within " + std::to_string(kTimeToBegin.count()) + " ms";
  if (!said.empty()) text += ": " + said;
  return make_error(ErrorType::kContainerStartFailed, std::move(text))
      .because("the image or the Engine does not let another program run in the container")
      .suggest("set egress.carrier to unix if the Engine is of this machine")
      .with("key", "egress.carrier")
      .retryable();
}

// A filter before the Engine answers so.
Error cannot_run(Error error) {
  if (error.type != ErrorType::kContainerStartFailed) return error;
  error.possible_causes.emplace_back(
      "agents' requests are carried by a command in their containers, which something before the "
      "Engine may not allow");
  error.suggested_actions.emplace_back(
      "allow the Engine's exec calls, or set egress.carrier to unix if the Engine is of this "
      "machine");
  return std::move(error).with("key", "egress.carrier");
}

}  // namespace

Task<Result<std::shared_ptr<StdioCarrier>>> StdioCarrier::start(DockerContext& context,
                                                                std::string id, SessionId session,
                                                                std::size_t max_connections) {
  auto stream = co_await context.engine.exec(std::move(id), carrier_command(max_connections));
  if (!stream) co_return cannot_run(stream.error());
  auto carrier = std::make_shared<StdioCarrier>(context, std::move(session), max_connections,
                                                std::move(*stream));
  const http::Deadline deadline(context.executor, kTimeToBegin, [carrier] { carrier->close(); });
  const bool is_ready = co_await carrier->connections_.wait_until_ready();
  if (!is_ready) co_return does_not_carry(carrier->said(), deadline.expired());
  co_return carrier;
}

StdioCarrier::StdioCarrier(DockerContext& context, SessionId session, std::size_t max_connections,
                           std::unique_ptr<http::Stream> stream)
    : executor_(context.executor),
      options_(context.options),
      stream_(std::move(stream)),
      errors_(kMaxErrors),
      connections_(context.executor,
                   {[this] { return read(); },
                    [this](std::string_view bytes) { return write(bytes); }, [this] { close(); }},
                   max_connections,
                   [broker = context.host.broker, session](http::Transport::Socket socket) {
                     if (broker != nullptr) broker->admit(session, std::move(socket));
                   }) {}

Task<std::string> StdioCarrier::run() {
  std::string broken_rule = co_await connections_.run();
  if (!broken_rule.empty()) co_return broken_rule;
  std::string why = said();
  co_return why.empty() ? "the program is gone, or the Engine" : why;
}

// What a program says that can't run, or the Engine in its place: that comes as output.
std::string StdioCarrier::said() const {
  std::string text = errors_.text() + connections_.said_before().substr(0, kMaxErrors);
  const auto is_odd = [](char byte) { return byte >= 0 && byte < ' '; };
  std::ranges::replace_if(text, is_odd, ' ');
  return options_->redact ? options_->redact(std::move(text)) : text;
}

Task<std::string> StdioCarrier::read() {
  std::string output;
  while (output.empty() && !frames_.failed()) {
    const Result<std::string> part = co_await stream_->read_some();
    if (!part || part->empty()) break;
    std::string_view left = *part;
    while (true) {
      const auto piece = frames_.next(left);
      if (piece.bytes.empty()) break;
      if (piece.source == engine::StreamDemuxer::Source::kStderr) {
        errors_.append(piece.bytes);
      } else {
        output += piece.bytes;
      }
    }
    // What only complains would be all that the loop has.
    if (output.empty()) co_await asio::post(executor_, asio::use_awaitable);
  }
  co_return output;
}

Task<bool> StdioCarrier::write(std::string_view bytes) {
  const Result<void> written = co_await stream_->write(bytes);
  co_return written.has_value();
}

Task<void> keep_carrying(std::shared_ptr<AttachedContainer> container) {
  auto pause = kFirstCarrierPause;
  std::string broke_off;       // why
  bool is_known_gone = false;  // and has been told
  while (!container->is_ending()) {
    if (!container->carrier) {
      auto next =
          co_await StdioCarrier::start(container->context, container->id, container->session,
                                       container->options->egress.max_connections);
      if (container->is_ending()) {
        if (next) (*next)->close();
        co_return;
      }
      if (next) {
        container->carrier = *next;
        if (!broke_off.empty()) {
          container->log.warn("the agent's way out broke off, and was made again",
                              {{"reason", broke_off}});
        }
        is_known_gone = false;
      } else {
        // The end of a container may be known here first.
        co_await pause_while_it_lasts(*container, pause);
        pause = std::min(2 * pause, kLongestCarrierPause);
        if (container->is_ending()) co_return;
        if (!std::exchange(is_known_gone, true)) {
          container->log.warn("the agent has no way out, trying again until it has",
                              {{"reason", next.error().explanation}});
        }
        continue;
      }
    }
    const auto began = std::chrono::steady_clock::now();
    const std::shared_ptr<StdioCarrier> carrier = container->carrier;
    broke_off = co_await carrier->run();
    container->carrier.reset();
    if (std::chrono::steady_clock::now() - began > kLongestCarrierPause) pause = kFirstCarrierPause;
    co_await pause_while_it_lasts(*container, pause);
    pause = std::min(2 * pause, kLongestCarrierPause);
  }
}

}  // namespace relay
