#include "cli/configured_relay.hpp"

#include "cli/config_failure.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace relay::cli {
namespace {

std::string within_reach(const std::string& host) {
  boost::system::error_code failure;
  const auto address = boost::asio::ip::make_address(host, failure);
  if (failure || !address.is_unspecified()) return host;
  return address.is_v4() ? "127.0.0.1" : "::1";
}

bool is_of_the_server(const config::Problem& problem) {
  return problem.key.empty() || problem.key.starts_with("server.");
}

}  // namespace

Outcome<http::Endpoint> endpoint_of(const config::ServerConfig& server, Port port) {
  const bool is_management = port == Port::kManagement;
  http::Endpoint endpoint;
  endpoint.port = is_management ? server.management_port : server.http_port;
  if (endpoint.port == 0) {
    const std::string key = is_management ? "server.management_port" : "server.http_port";
    return Failure{ExitCode::kError, key +
                                         " is 0, which is any free port: nobody knows which one\n"
                                         "give it a number"};
  }
  endpoint.transport =
      server.tls.cert.empty() ? http::Endpoint::Transport::kTcp : http::Endpoint::Transport::kTls;
  endpoint.host = within_reach(is_management ? server.management_host : server.http_host);
  endpoint.pinned_file = server.tls.cert;
  return endpoint;
}

Outcome<http::Endpoint> configured_endpoint(const std::string& file, Port port,
                                            const config::Environment& environment) {
  const config::LoadResult loaded = config::load(file, environment);
  if (std::ranges::any_of(loaded.problems, is_of_the_server)) return cannot_use(file, loaded);
  return endpoint_of(loaded.config.server, port);
}

Outcome<http::Endpoint> provable_endpoint(const std::string& file, Port port,
                                          const config::Environment& environment) {
  Outcome<http::Endpoint> endpoint = configured_endpoint(file, port, environment);
  if (!endpoint || endpoint->pinned_file.empty()) return endpoint;
  const std::string& certificate = endpoint->pinned_file;
  if (::access(certificate.c_str(), R_OK) == 0) return endpoint;
  return Failure{ExitCode::kError,
                 "server.tls.cert of " + file + ", " + certificate + ": " +
                     std::generic_category().message(errno) +
                     "\ncall this in the directory, as a user and with the variables that the "
                     "relay has: paths and ${VAR} mean something there"};
}

}  // namespace relay::cli
