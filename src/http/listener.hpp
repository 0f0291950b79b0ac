// Binding a TCP listener, with errors that name the configuration keys to change.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "http/server.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace relay::http {

Result<asio::ip::tcp::acceptor> bind_listener(const asio::any_io_executor& executor,
                                              const ServerOptions& options);

// Fails where another one that had bound the address as well was faster.
Result<void> start_listening(asio::ip::tcp::acceptor& acceptor, const ServerOptions& options);

}  // namespace relay::http
