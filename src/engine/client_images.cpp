// Images: what they are, and pulling them.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/image_reference.hpp"
#include "engine/readers.hpp"
#include "http/deadline.hpp"

#include <optional>

namespace relay::engine {

namespace {

constexpr std::size_t kMaxPullLine = 1u << 20;

}  // namespace

Task<Result<ImageFacts>> EngineClient::inspect_image(
    std::string name, std::optional<std::chrono::milliseconds> limit) {
  const Result<ImageReference> reference = split_image(name);
  if (!reference) co_return reference.error();
  http::Request request;
  request.target = "/images/" + escaped(name, "/:@") + "/json";
  std::optional<http::Client> own;
  if (limit) own.emplace(executor_, endpoint_, within(options_, *limit));
  const Result<http::Response> answer =
      co_await call_on(own ? *own : client_, Call::kImage, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return read_image(answer->body);
  const std::string message = refusal(answer->body);
  if (answer->status == 404 || answer->status == 400) co_return image_missing(name, message);
  co_return call_failed(address(), "inspect an image", answer->status, message);
}

Task<Result<void>> EngineClient::pull(std::string image, std::chrono::milliseconds timeout,
                                      std::function<void(const PullLine&)> progress) {
  const Result<ImageReference> reference = split_image(image);
  if (!reference) co_return reference.error();
  http::ClientOptions options;
  options.connect_timeout = options_.connect_timeout;
  options.head_timeout = timeout;  // the Engine may ask the registry before it says anything
  http::Client client(executor_, endpoint_, options);
  http::Request request;
  request.method = "POST";
  request.target =
      "/images/create?fromImage=" + escaped(reference->name) + "&tag=" + escaped(reference->tag);
  const auto began = std::chrono::steady_clock::now();
  const auto state = co_await asio::this_coro::cancellation_state;
  const CallTimer timer(options_.observe, Call::kPull, state);
  const Result<Opened> opened = co_await open_on(client, Call::kPull, std::move(request));
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  if (!opened && timeout.count() > 0 && passed >= timeout) co_return pull_timed_out(image, timeout);
  if (!opened) co_return opened.error();
  if (!opened->stream) {
    const std::string message = refusal(opened->refused.body);
    co_return pull_failed(image, message);
  }
  http::Stream& stream = *opened->stream;
  // Zero is no limit at all, here as in the options.
  const auto left =
      timeout.count() == 0 ? timeout : std::max(timeout - passed, std::chrono::milliseconds(1));
  const http::Deadline deadline(executor_, left, [&stream] { stream.close(); });
  JsonObjects objects(kMaxPullLine);
  for (;;) {
    const Result<std::string> part = co_await stream.read_some();
    if (!part && deadline.expired()) {
      timer.done(CallFailure::kTimeout);
      co_return pull_timed_out(image, timeout);
    }
    if (!part) {
      timer.done(CallFailure::kUnreachable);
      co_return stream_lost(address(), "a pull");
    }
    if (part->empty()) {
      timer.done(std::nullopt);
      co_return Result<void>();
    }
    std::vector<std::string> lines;
    const bool is_bounded = objects.push(*part, lines);
    for (const std::string& text : lines) {
      const Result<PullLine> line = read_pull_line(text);
      if (!line) {
        timer.done(CallFailure::kFailed);
        co_return line.error();
      }
      if (progress) progress(*line);
      if (line->error.empty()) continue;
      timer.done(CallFailure::kRefused);
      co_return pull_failed(image, line->error);
    }
    if (!is_bounded) {
      timer.done(CallFailure::kFailed);
      co_return pull_failed(image, "a line of the Engine's answer is too long");
    }
  }
}

}  // namespace relay::engine
