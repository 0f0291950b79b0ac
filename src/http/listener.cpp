#include "http/listener.hpp"

#include "http/lost_peer.hpp"

#include <fmt/format.h>

namespace relay::http {

namespace {

using boost::system::error_code;

Error bind_error(const ServerOptions& options, const error_code& code) {
  const std::string host_key = options.host_key.empty() ? "the host" : options.host_key;
  const std::string port_key = options.port_key.empty() ? "the port" : options.port_key;
  Error error = make_error(ErrorType::kInvalidParams,
                           fmt::format("cannot listen on {} port {} ({}, {}): {}", options.host,
                                       options.port, host_key, port_key, code.message()));
  if (code == asio::error::address_in_use) {
    return std::move(error)
        .because("another program, perhaps another relay, listens there")
        .suggest(fmt::format("Stop the other program (ss -ltnp 'sport = :{}' shows it) or set {} "
                             "to another port.",
                             options.port, port_key));
  }
  if (code == asio::error::access_denied) {
    return std::move(error)
        .because("ports below 1024 need a privilege")
        .suggest(
            fmt::format("Set {} to a port from 1024 on, or grant CAP_NET_BIND_SERVICE.", port_key));
  }
  return std::move(error)
      .because("the address does not belong to this machine, or the name does not resolve")
      .suggest(fmt::format("Set {} to an address of this machine, such as 127.0.0.1 or 0.0.0.0.",
                           host_key));
}

error_code resolve(const asio::any_io_executor& executor, const ServerOptions& options,
                   asio::ip::tcp::endpoint& out) {
  error_code code;
  const asio::ip::address address = asio::ip::make_address(options.host, code);
  if (!code) {
    out = {address, options.port};
    return code;
  }
  asio::ip::tcp::resolver resolver(executor);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), code);
  if (!code && found.empty()) code = asio::error::host_not_found;
  if (!code) out = found.begin()->endpoint();
  return code;
}

}  // namespace

Result<asio::ip::tcp::acceptor> bind_listener(const asio::any_io_executor& executor,
                                              const ServerOptions& options) {
  asio::ip::tcp::endpoint endpoint;
  error_code code = resolve(executor, options, endpoint);
  asio::ip::tcp::acceptor acceptor(executor);
  if (!code) acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.non_blocking(true, code);
  if (!code) notice_a_lost_peer(acceptor.native_handle());  // accepted sockets inherit it
  if (code) return bind_error(options, code);
  return acceptor;
}

Result<void> start_listening(asio::ip::tcp::acceptor& acceptor, const ServerOptions& options) {
  error_code code;
  acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return bind_error(options, code);
  return {};
}

}  // namespace relay::http
