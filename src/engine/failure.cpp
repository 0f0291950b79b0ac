#include "engine/failure.hpp"

#include "engine/call_target.hpp"
#include "engine/texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace relay::engine {

namespace {

using Transport = http::Endpoint::Transport;

constexpr const char* kCheckAddress = "check the address in container.docker_host or DOCKER_HOST";
constexpr const char* kStatus = "systemctl status docker";
constexpr const char* kJournal = "journalctl -u docker -n 50";

Error unavailable(std::string_view address, std::string explanation) {
  return make_error(ErrorType::kDockerNotAvailable, std::move(explanation))
      .with("docker_host", std::string(address));
}

Error no_socket(const http::Endpoint& endpoint) {
  Error error =
      unavailable(endpoint.to_string(),
                  fmt::format("there is no Docker Engine at {}: the socket does not exist",
                              endpoint.to_string()));
  error.possible_causes = {"the Docker Engine is not installed", "it does not run",
                           "it listens elsewhere (rootless Docker and Podman do)"};
  error.suggested_actions = {kStatus, kJournal, "sudo systemctl start docker (or install Docker)",
                             "name its socket in container.docker_host or DOCKER_HOST; rootless: "
                             "unix:///run/user/UID/docker.sock"};
  return error;
}

Error not_permitted(const http::Endpoint& endpoint) {
  Error error = unavailable(endpoint.to_string(),
                            fmt::format("the Docker Engine's socket {} is there, but this user may "
                                        "not use it (permission denied)",
                                        endpoint.to_string()));
  error.possible_causes = {"the user of the relay is not in the group that owns the socket"};
  error.suggested_actions = {
      "sudo usermod -aG docker $USER, then log in again and restart the relay",
      "run the relay as a user that may use the socket: ls -l " + endpoint.socket_path,
      "use rootless Docker and name its socket in container.docker_host"};
  return error;
}

Error nobody_listens(const http::Endpoint& endpoint) {
  Error error = unavailable(
      endpoint.to_string(),
      fmt::format("nobody listens at {} (connection refused): the Docker Engine does not run",
                  endpoint.to_string()));
  error.possible_causes = {"the Engine was stopped or crashed"};
  error.suggested_actions = {kStatus, kJournal, "sudo systemctl start docker"};
  if (endpoint.transport != Transport::kUnix) {
    error.possible_causes.emplace_back("the Engine listens on its Unix socket only, or elsewhere");
    error.suggested_actions.emplace_back(kCheckAddress);
  }
  return error;
}

Error tls_failed(const http::Endpoint& endpoint, const std::string& reason) {
  Error error = unavailable(
      endpoint.to_string(),
      fmt::format("no TLS with the Docker Engine at {}: {}", endpoint.to_string(), reason));
  error.possible_causes = {"ca.pem did not sign the Engine's certificate, or for another name",
                           "cert.pem is not accepted by the Engine",
                           "the Engine speaks no TLS on this port"};
  error.suggested_actions = {
      "check ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH (default ~/.docker)",
      "docker --tlsverify version, which uses the same files", kCheckAddress};
  return error;
}

Error unknown_host(const http::Endpoint& endpoint) {
  Error error = unavailable(
      endpoint.to_string(),
      fmt::format("the host of the Docker Engine's address {} is not known", endpoint.to_string()));
  error.possible_causes = {"the name is misspelt", "name resolution does not work"};
  error.suggested_actions = {kCheckAddress, "getent hosts " + endpoint.host};
  return error;
}

// The relay's machine, or what the relay may have of it.
Error no_descriptors(std::string_view address, bool of_relay) {
  Error error = unavailable(
      address, fmt::format("{} has no file descriptors left for a connection to the Docker Engine",
                           of_relay ? "the relay" : "the machine"));
  if (of_relay) {
    error.possible_causes = {"the limit of open files of the relay (ulimit -n) is reached"};
    error.suggested_actions = {
        "close sessions, lower agent.max_concurrent_sessions or raise LimitNOFILE"};
  } else {
    error.possible_causes = {"programs of the machine hold as many files as the kernel allows"};
    error.suggested_actions = {
        "raise the sysctl fs.file-max or stop programs that hold many files"};
  }
  return error;
}

Error takes_no_connection(std::string_view address, const std::string& reason) {
  Error error = unavailable(
      address,
      fmt::format("there is no room for another connection to the Docker Engine at {} now: {}",
                  address, reason));
  error.possible_causes = {"many connections are made at once",
                           "the Engine or its machine is busy, or has no memory left"};
  error.suggested_actions = {"try again in a moment",
                             "docker info, which shows whether the Engine answers at all"};
  return error;
}

Error not_http(const http::Endpoint& endpoint, const std::string& reason) {
  Error error = unavailable(
      endpoint.to_string(),
      fmt::format("what answers at {} is no Docker Engine ({})", endpoint.to_string(), reason));
  error.possible_causes = {"another program listens there",
                           "the Engine wants TLS, and the address does not say so"};
  error.suggested_actions = {kCheckAddress, "for TLS set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"};
  return error;
}

}  // namespace

Error stream_lost(std::string_view address, std::string_view during) {
  Error error = unavailable(
      address,
      fmt::format("the connection to the Docker Engine at {} was lost during {}", address, during));
  error.possible_causes = {"the Engine was stopped or restarted", "it crashed"};
  error.suggested_actions = {kStatus, kJournal,
                             "try again when the Engine answers: docker version"};
  return std::move(error).retryable();
}

Error too_slow(std::string_view address, std::string_view during) {
  Error error = unavailable(
      address, fmt::format("the Docker Engine at {} did not answer in time ({})", address, during));
  error.possible_causes = {"the Engine hangs or is overloaded (disk, many containers at once)",
                           "the host or the network between is down"};
  error.suggested_actions = {"docker info, which shows whether the Engine answers at all", kStatus,
                             kJournal, "sudo systemctl restart docker, if it hangs"};
  return std::move(error).retryable();
}

Error unreachable(const Error& failure, const http::Endpoint& endpoint, std::string_view during) {
  const std::string address = endpoint.to_string();
  switch (const std::int64_t number = number_of(failure, "errno"); number) {
    case 0:  // only files of TLS fail before a socket is touched
      return tls_failed(endpoint, failure.explanation);
    case ENOENT:
    case ENOTDIR:
      return no_socket(endpoint).retryable();
    case EACCES:
    case EPERM:
      return not_permitted(endpoint);
    case ECONNREFUSED:
      return nobody_listens(endpoint).retryable();
    case ETIMEDOUT:
      return too_slow(address, during);
    case EPROTO:
      return tls_failed(endpoint, failure.explanation);
    case ENXIO:
      return unknown_host(endpoint).retryable();
    case EBADMSG:
      return not_http(endpoint, failure.explanation);
    case EMSGSIZE:
      return make_error(
          ErrorType::kInternalError,
          fmt::format("the Engine's answer to {} is too large: {}", during, failure.explanation));
    case EMFILE:
    case ENFILE:
      return no_descriptors(address, number == EMFILE).retryable();
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:  // of a Unix socket: too many wait to be accepted
      return takes_no_connection(address, failure.explanation).retryable();
    case ECONNRESET:
    case EPIPE:
      return stream_lost(address, during);
    default:
      break;
  }
  return unavailable(address,
                     fmt::format("the Docker Engine can't be reached: {}", failure.explanation))
      .because("the address or the network is not right")
      .suggest(kCheckAddress)
      .suggest(kStatus)
      .retryable();
}

Error not_an_engine(const http::Endpoint& endpoint, int status, std::string_view message) {
  return not_http(endpoint, fmt::format("HTTP status {} for GET /version: {}", status, message));
}

Error no_common_api(std::string_view address, const EngineVersion& engine) {
  const bool is_old = engine.api < kOldestApi;
  Error error = unavailable(
      address,
      is_old ? fmt::format("the Docker Engine at {} is too old: version {} speaks API {}, and {} "
                           "(Docker 20.10) is needed",
                           address, engine.version, engine.api.to_string(), kOldestApi.to_string())
             : fmt::format(
                   "the Docker Engine at {} is too new: version {} speaks no API older than "
                   "{}, and this relay speaks {} at most",
                   address, engine.version, engine.min_api.to_string(), kNewestApi.to_string()));
  error.suggested_actions = {is_old ? "update Docker to 20.10 or later, or Podman to 4.0 or later"
                                    : "update the relay, or let the Engine speak API " +
                                          kNewestApi.to_string() + " (DOCKER_MIN_API_VERSION)",
                             "docker version, which shows both API versions", kCheckAddress};
  error.state.emplace_back("engine_version", engine.version);
  error.state.emplace_back("engine_api", engine.api.to_string());
  return error;
}

Error call_failed(std::string_view address, std::string_view what, int status,
                  std::string_view message) {
  Error error = make_error(ErrorType::kInternalError,
                           fmt::format("the Docker Engine at {} did not {} (HTTP status {}): {}",
                                       address, what, status, message));
  error.suggested_actions = {kJournal, "docker info"};
  error.state = {{"engine_message", std::string(message)}, {"engine_status", std::int64_t{status}}};
  error.recoverable = status >= 500;
  return error;
}

Error event_too_long(std::string_view address) {
  return unavailable(address, "an event of the Docker Engine is longer than 1 MiB")
      .because("what answers at the address is not a Docker Engine")
      .suggest(kCheckAddress)
      .retryable();
}

Error bad_name(std::string_view id) {
  return make_error(ErrorType::kInternalError,
                    fmt::format("\"{}\" can't be the id or name of a container, which has letters, "
                                "digits, _ . and - only",
                                printable(id, 100)))
      .suggest("use the id that the Engine gave when it made the container");
}

Error bad_signal(std::string_view signal) {
  return make_error(ErrorType::kInternalError,
                    fmt::format("\"{}\" can't be the name of a signal", printable(signal, 100)))
      .suggest("use TERM, KILL or a number");
}

}  // namespace relay::engine
