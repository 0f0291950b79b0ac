// TLS over a non-blocking socket: contexts from PEM files, one session a connection.
//
// A session never waits: every step says whether it is done or what the socket must become first. A
// write that would block must be tried again with the same bytes (more may follow them). Buffers of
// idle sessions are released. Writing to a closed socket raises no signal.
#pragma once

#include "base/result.hpp"
#include "http/io_step.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace relay::http {

class TlsSession {
 public:
  explicit TlsSession(ssl_st* session);
  TlsSession(TlsSession&& other) noexcept;
  TlsSession& operator=(TlsSession&&) = delete;
  ~TlsSession();

  IoStep handshake();
  IoStep read(std::span<char> buffer);
  IoStep write(std::string_view bytes);
  // Whether bytes have come that no read has given: parts of a record, or all of one.
  bool has_unread() const;
  // Sends close_notify if that is possible without waiting.
  void shutdown();

  // Why the last step failed, for a person; empty when nothing is known.
  const std::string& failure() const { return failure_; }

 private:
  IoStep step(int result);

  ssl_st* session_;
  std::string failure_;
};

class TlsContext {
 public:
  // Errors name the file that cannot be used and why.
  static Result<std::shared_ptr<TlsContext>> server(const std::string& certificate_chain,
                                                    const std::string& private_key);

  struct ClientFiles {
    std::string ca_file, certificate_file, key_file;  // empty: system CA store, no certificate
    std::string pinned_file;                          // see http::Endpoint
    bool verify_peer = true;
  };
  static Result<std::shared_ptr<TlsContext>> client(const ClientFiles& files);

  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  // A session on the socket, which the caller keeps open for as long as the session lives.
  TlsSession accept(int socket) const;
  TlsSession connect(int socket, const std::string& host) const;

 private:
  ssl_ctx_st* context_;
  std::shared_ptr<x509_st> pinned_;  // the context refers to it
  bool verify_peer_ = true;
};

}  // namespace relay::http
