// One connected byte stream, TCP or Unix, plain or TLS, owned: attempts that do not wait, and
// waits.
//
// The pattern is: attempt; when it would block, wait for what it says; attempt again. This keeps
// buffers out of waiting operations, so that idle connections own none. Cancelling wakes every
// waiter.
#pragma once

#include "base/async.hpp"
#include "http/io_step.hpp"
#include "http/tls.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <tuple>

namespace relay::http {

class Transport {
 public:
  using Socket = asio::generic::stream_protocol::socket;

  explicit Transport(Socket socket) : socket_(std::move(socket)) {}
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Makes everything that follows TLS. The handshake is the next thing to await.
  void start_tls(TlsSession session) { tls_.emplace(std::move(session)); }
  bool is_tls() const { return tls_.has_value(); }
  // kDone or kFailed.
  Task<IoState> handshake();
  std::string tls_failure() const { return tls_ ? tls_->failure() : std::string(); }

  IoStep try_read(std::span<char> buffer);
  // Moves as much as the socket takes in one call; `parts` are at most IOV_MAX.
  IoStep try_write(std::span<const iovec> parts);

  // Whether the peer has ended its side, or the connection is broken: also behind what has come
  // and was not read.
  bool has_hung_up();
  // Whether nothing has come, not even the end. TLS may have brought tickets, which are read here.
  bool is_quiet();

  // Waits until the socket is readable or writable, as `state` says. An error means: cancelled.
  Task<std::tuple<boost::system::error_code>> wait(IoState state);

  // Returns when the connection breaks, or is cancelled. A peer that ends its side breaks nothing.
  Task<void> wait_for_failure();

  // Writes everything. `on_wait` (may be empty) is called before each wait. False: lost or
  // cancelled.
  Task<bool> write_all(std::span<const std::string_view> parts,
                       const std::function<void()>& on_wait);

  void cancel();
  void shutdown_send();
  void close();
  // Closes it, and what was written and has not been sent is never sent: without this the kernel
  // tries for minutes when the network is silent.
  void reset();
  bool is_open() const { return socket_.is_open(); }

  asio::any_io_executor executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }

 private:
  Socket socket_;
  std::optional<TlsSession> tls_;
};

// Drops the first `bytes` of `parts`; returns what is left of it.
std::span<iovec> advance(std::span<iovec> parts, std::size_t bytes);

}  // namespace relay::http
