// The connections to one upstream: those that wait for their next request, and new ones.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "http/client_connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>
#include <memory>

namespace relay::egress {

class UpstreamConnections {
 public:
  using Clock = std::chrono::steady_clock;
  using Connection = std::unique_ptr<http::ClientConnection>;

  UpstreamConnections(asio::any_io_executor executor, http::Endpoint endpoint,
                      std::chrono::milliseconds connect_timeout);

  // One that waited and is still there; null when there is none.
  Connection take_kept();
  // Errors are those of http::ClientConnection::connect.
  Task<Result<Connection>> connect();
  // For a connection whose last answer has been read to its end.
  void keep(Connection connection);
  // Drops what is kept, and keeps nothing from here on: nothing is waited for any more.
  void close();

  std::size_t kept() const { return kept_.size(); }

 private:
  struct Kept {
    Connection connection;
    Clock::time_point until;
  };

  void drop_expired();

  asio::any_io_executor executor_;
  http::Endpoint endpoint_;
  std::chrono::milliseconds connect_timeout_;
  std::shared_ptr<const http::TlsContext> tls_;
  bool closed_ = false;
  std::list<Kept> kept_;  // the oldest first
  asio::steady_timer sweep_;
};

}  // namespace relay::egress
