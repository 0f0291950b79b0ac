// Errors about images.
#include "engine/failure.hpp"
#include "engine/texts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay::engine {

namespace {

bool is_network_problem(std::string_view message) {
  static constexpr std::string_view kSigns[] = {"dial tcp",
                                                "no such host",
                                                "i/o timeout",
                                                "tls handshake",
                                                "connection refused",
                                                "connection reset",
                                                "network is unreachable",
                                                "Client.Timeout",
                                                "awaiting headers",
                                                "server misbehaving",
                                                "no route to host",
                                                "proxyconnect",
                                                "x509:",
                                                "context deadline exceeded",
                                                "pinging container registry"};
  return std::ranges::any_of(
      kSigns, [message](std::string_view sign) { return contains_ignoring_case(message, sign); });
}

// The images that presets of agents take by themselves are called by what makes them.
std::string how_to_build(std::string_view image) {
  constexpr std::string_view kOfPresets = "acp-agent-";
  std::string command = "docker/build.sh";
  if (image.starts_with(kOfPresets) && image.ends_with(":latest")) {
    image.remove_prefix(kOfPresets.size());
    command += " " + std::string(image.substr(0, image.find(':')));
  }
  return command + ", which builds the image of the agent";
}

}  // namespace

Error image_missing(std::string_view image, std::string_view message) {
  const std::string shown = printable(image, 300);
  Error error = make_error(ErrorType::kImageNotFound,
                           fmt::format("the Docker Engine has no image \"{}\"{}{}", shown,
                                       message.empty() ? "" : ": ", message));
  error.possible_causes = {"it was not built or pulled on this host", "its name is misspelt",
                           "container.pull_policy is never"};
  error.suggested_actions = {"docker images | grep " + shown, "docker pull " + shown,
                             how_to_build(shown),
                             "check container.image and container.pull_policy"};
  error.state = {{"image", shown}, {"key", std::string("container.image")}};
  if (!message.empty()) error.state.emplace_back("engine_message", std::string(message));
  return std::move(error).retryable();
}

Error pull_failed(std::string_view image, std::string_view message) {
  Error error = image_missing(image, "");
  error.explanation =
      fmt::format("the image \"{}\" could not be pulled: {}", printable(image, 300), message);
  error.state.emplace_back("engine_message", std::string(message));
  const std::string pull = "docker pull " + printable(image, 300);
  if (is_network_problem(message)) {
    error.type = ErrorType::kDockerNotAvailable;
    error.explanation += " (the Engine does not reach the registry)";
    error.possible_causes = {"the host of the Engine has no way to the registry",
                             "a proxy or its certificate is not known to the Engine"};
    error.suggested_actions = {pull + ", on the host of the Engine",
                               "put the image there by other means (docker load, docker/build.sh) "
                               "and set container.pull_policy to never or missing"};
  } else if (contains_ignoring_case(message, "toomanyrequests") ||
             contains_ignoring_case(message, "rate limit")) {
    error.possible_causes = {"the registry limits pulls without a login"};
    error.suggested_actions = {"docker login, then " + pull,
                               "set container.pull_policy to missing or never"};
  } else if (contains_ignoring_case(message, "denied") ||
             contains_ignoring_case(message, "unauthorized") ||
             contains_ignoring_case(message, "authentication")) {
    error.possible_causes = {"there is no such image in the registry",
                             "it needs a login, and the relay sends none"};
    error.suggested_actions = {how_to_build(printable(image, 300)), "docker login, then " + pull,
                               "check container.image and container.pull_policy"};
  } else if (contains_ignoring_case(message, "no space left")) {
    error.possible_causes = {"the disk of the Engine is full"};
    error.suggested_actions = {"df -h", "docker system df", "docker system prune"};
  } else if (contains_ignoring_case(message, "no matching manifest")) {
    error.possible_causes = {"the image is not made for this kind of processor"};
    error.suggested_actions = {"choose another image in container.image",
                               "docker/build.sh, which builds one on this host"};
  }
  return error;
}

Error pull_timed_out(std::string_view image, std::chrono::milliseconds limit) {
  Error error = image_missing(image, "");
  error.explanation = fmt::format("the image \"{}\" was not pulled within {} ms",
                                  printable(image, 300), limit.count());
  error.possible_causes = {"the image is large or the registry is slow"};
  error.suggested_actions = {"docker pull " + printable(image, 300),
                             "raise container.pull_timeout"};
  error.state = {{"image", printable(image, 300)}, {"key", std::string("container.pull_timeout")}};
  return error;
}

}  // namespace relay::engine
