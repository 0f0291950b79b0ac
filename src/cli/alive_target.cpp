#include "cli/alive_target.hpp"

#include <boost/asio/ip/address.hpp>

namespace relay::cli {
namespace {

std::string within_reach(const std::string& host) {
  boost::system::error_code failure;
  const auto address = boost::asio::ip::make_address(host, failure);
  if (failure || !address.is_unspecified()) return host;
  return address.is_v4() ? "127.0.0.1" : "::1";
}

}  // namespace

Outcome<http::Endpoint> alive_target(const config::ServerConfig& server) {
  if (server.management_port == 0) {
    return Failure{ExitCode::kError,
                   "server.management_port is 0, which is any free port: nobody knows which one\n"
                   "give it a number"};
  }
  http::Endpoint endpoint;
  endpoint.transport =
      server.tls.cert.empty() ? http::Endpoint::Transport::kTcp : http::Endpoint::Transport::kTls;
  endpoint.host = within_reach(server.management_host);
  endpoint.port = server.management_port;
  endpoint.verify_peer = false;
  return endpoint;
}

}  // namespace relay::cli
