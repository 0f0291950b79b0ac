// For tests: a server on a loop of its own thread, and a blocking client socket that speaks raw
// bytes.
#pragma once

#include "base/unique_fd.hpp"
#include "http/server.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace relay::http::testing {

inline const Headers kNoHeaders;

class RunningServer {
 public:
  RunningServer(ServerOptions options, Handler handler);
  ~RunningServer();
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::size_t connections();
  // What `ask` returns on the server's thread.
  std::size_t on_loop(const std::function<std::size_t()>& ask);
  // Runs Server::stop and waits for it.
  void stop(std::chrono::milliseconds deadline);

 private:
  asio::io_context loop_{1};
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  bool stopped_ = false;
};

// A handler that accepts a WebSocket and sends every batch back in one call.
Task<void> echo(Exchange& exchange);

// Every call gives up after a minute.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  explicit RawClient(UniqueFd connected);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  void shutdown_send();
  void close();
  // Until the text ends with `end`, or the peer closes.
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t bytes);
  std::string read_all();
  // One answer with a Content-Length.
  std::string read_answer();
  int fd() const { return fd_.get(); }

 private:
  bool read_more();
  UniqueFd fd_;
  std::string buffer_;
};

// A server whose connections the test answers itself, byte for byte.
class RawServer {
 public:
  RawServer();

  std::uint16_t port() const { return port_; }
  // The next connection; fails the test after a minute without one.
  std::unique_ptr<RawClient> accept();
  // Whether one waits to be accepted.
  bool has_connection() const;

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

// A port at which nobody listens: it is refused until the end of this, and nobody else gets it.
class ClosedPort {
 public:
  ClosedPort();

  std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

// Asks until it is true or a minute has passed.
bool eventually(const std::function<bool()>& condition);

std::size_t open_descriptors();

}  // namespace relay::http::testing
