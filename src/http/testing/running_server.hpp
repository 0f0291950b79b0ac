// For tests: a server on a loop of its own thread, and a blocking client socket that speaks raw
// bytes.
#pragma once

#include "http/server.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
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

// Every call gives up after ten seconds.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
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
  int fd() const { return fd_; }

 private:
  bool read_more();
  int fd_ = -1;
  std::string buffer_;
};

// Asks until it is true or ten seconds have passed.
bool eventually(const std::function<bool()>& condition);

std::size_t open_descriptors();

}  // namespace relay::http::testing
