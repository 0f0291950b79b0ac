// The connections to one upstream: those that wait for their next request, and new ones. All of
// them together, whoever has them, are bounded.
#pragma once

#include "base/async.hpp"
#include "base/blocking_calls.hpp"
#include "base/result.hpp"
#include "egress/places.hpp"
#include "http/client_connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

namespace relay::egress {

class UpstreamConnections {
 public:
  using Clock = std::chrono::steady_clock;
  struct Release {
    void operator()(const http::ClientConnection* connection) {
      delete connection;
      place.reset();
    }
    std::shared_ptr<Places::Place> place;  // free again without the connection
  };
  using Connection = std::unique_ptr<http::ClientConnection, Release>;

  struct Limits {
    std::chrono::milliseconds connect_timeout{10'000};
    std::size_t max_open = 1024;  // at a time, those that are being made included
  };

  UpstreamConnections(asio::any_io_executor executor, http::Endpoint endpoint,
                      const Limits& limits);
  UpstreamConnections(const UpstreamConnections&) = delete;
  UpstreamConnections& operator=(const UpstreamConnections&) = delete;

  // One that waited and is still there; null when there is none.
  Connection take_kept(Holder holder);
  // Errors are those of http::ClientConnection::connect, and EUSERS: there are as many as may be,
  // or as this session may have. Names are looked up on threads of this upstream's own; one that
  // hangs holds up no other one.
  Task<Result<Connection>> connect(Holder holder);
  // For a connection whose last answer has been read to its end.
  void keep(Connection connection);
  // Drops what is kept, and keeps nothing from here on: nothing is waited for any more.
  void close();

  std::size_t kept() const { return kept_.size(); }
  std::size_t open() const { return places_.taken(); }

 private:
  struct Kept {
    Connection connection;
    Clock::time_point until;
  };

  void drop_expired();

  asio::any_io_executor executor_;
  http::Endpoint endpoint_;
  const Limits limits_;
  BlockingCalls names_;
  Places places_;
  std::shared_ptr<const http::TlsContext> tls_;
  bool closed_ = false;
  std::list<Kept> kept_;  // the oldest first
  asio::steady_timer sweep_;
  bool is_sweeping_ = false;
  std::shared_ptr<void> alive_ = std::make_shared<int>();  // a timer that has run out may be queued
};

}  // namespace relay::egress
