// HTTP/1.1 client over TCP, TLS or a Unix socket: whole answers, streamed answers, and the raw
// stream after an upgrade (101) or a hijacked 200. Used by the command line and by the Engine
// client.
//
// Errors of the connection carry the state "errno", so that a caller can tell them apart: what
// connect() said; ETIMEDOUT; ENXIO for a name that does not resolve; EPROTO when TLS can't be
// agreed on; ECONNRESET when the connection is lost; EBADMSG when the answer is not HTTP; EMSGSIZE
// when it is over max_body_bytes.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace relay::http {

// Longest path of a Unix socket, in bytes (unix(7)).
inline constexpr std::size_t kMaxSocketPath = 107;

struct Endpoint {
  enum class Transport { kTcp, kTls, kUnix };
  Transport transport = Transport::kTcp;
  std::string host;  // TCP, TLS: name or address
  std::uint16_t port = 80;
  std::string socket_path;  // Unix
  // TLS: PEM files; empty = the system's CA store and no client certificate.
  std::string ca_file, certificate_file, key_file;
  // PEM, the first of it: what the server has to show, whoever signed it, for whom and for how
  // long; or one for the same name that an authority of ca_file has signed, where this file has
  // been renewed and the server still has the one before.
  std::string pinned_file;
  bool verify_peer = true;

  // Reads http://host:port, https://..., unix:///path. Fails with what is wrong with the text.
  static Result<Endpoint> parse(std::string_view url);
  std::string to_string() const;
  // What stands in a Host header.
  std::string authority() const;
};

// A streamed answer: read_some() gives decoded body bytes as they come, empty at the end.
// After status 101, or with `raw` asked for, it is a byte stream in both directions.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual const Response& head() const = 0;  // body empty
  virtual Task<Result<std::string>> read_some() = 0;
  virtual Task<Result<void>> write(std::string_view bytes) = 0;  // after an upgrade only
  virtual void close() = 0;
};

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  // From the first byte sent to the last one of the head. 0: none (a prompt may take hours).
  std::chrono::milliseconds head_timeout{0};
  // Of request() alone: from the first byte sent to the last one received. 0: none.
  std::chrono::milliseconds answer_timeout{0};
  std::size_t max_body_bytes = 64u << 20;
};

class ClientConnection;

// Keeps one connection alive for request(); every stream gets a connection of its own.
class Client {
 public:
  Client(asio::any_io_executor executor, Endpoint endpoint, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends and reads the whole answer. Connects when needed; a kept connection that turns out to be
  // closed before any byte of the answer is replaced once. Any status is a success here.
  Task<Result<Response>> request(Request request);

  // Sends and returns when the head of the answer is there.
  Task<Result<std::unique_ptr<Stream>>> open(Request request);

 private:
  asio::any_io_executor executor_;
  Endpoint endpoint_;
  ClientOptions options_;
  std::unique_ptr<ClientConnection> kept_;
};

}  // namespace relay::http
