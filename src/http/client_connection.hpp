// One connection to a server: connecting, sending a request, reading its answer step by step.
#pragma once

#include "base/blocking_calls.hpp"
#include "http/client.hpp"
#include "http/message_parser.hpp"
#include "http/transport.hpp"

#include <memory>
#include <optional>
#include <string>

namespace relay::http {

// What a TLS context for the endpoint is made of.
TlsContext::ClientFiles client_files(const Endpoint& endpoint);

// The answer did not come in time.
Error timed_out();

class ClientConnection {
 public:
  // `tls` is what an endpoint of kTls is met with; null: made of the endpoint's files, which takes
  // milliseconds where the system's CA store is read. `names` looks the host up; null: Asio does,
  // on a thread that all who ask it share. Errors have an "errno", unless `tls` can't be made.
  static Task<Result<std::unique_ptr<ClientConnection>>> connect(
      asio::any_io_executor executor, const Endpoint& endpoint, std::chrono::milliseconds timeout,
      std::shared_ptr<const TlsContext> tls = nullptr, BlockingCalls* names = nullptr);

  explicit ClientConnection(Transport::Socket socket) : transport_(std::move(socket)) {}

  // Sends and reads up to the end of the head of the final answer; kHead or kDone. `timeout` is
  // for both; zero: none.
  Task<Result<ParseState>> ask(const Request& request, const std::string& host,
                               std::unique_ptr<ResponseParser>& parser, std::size_t max_body_bytes,
                               std::chrono::milliseconds timeout);
  // The second half of ask().
  Task<Result<ParseState>> read_head(std::unique_ptr<ResponseParser>& parser,
                                     std::size_t max_body_bytes, bool to_head);
  // Feeds the parser what is there, or what comes next. Errors: the connection is lost or it is not
  // HTTP.
  Task<Result<ParseState>> advance(ResponseParser& parser);
  // As advance(), of what is there only; nothing when that is not enough to go on.
  std::optional<Result<ParseState>> feed_unread(ResponseParser& parser);
  // Bytes behind the head of an upgraded connection; empty at the end.
  Task<Result<std::string>> read_raw();
  Task<Result<void>> write_raw(std::string_view bytes);

  Transport& transport() { return transport_; }
  bool got_bytes() const { return got_bytes_; }
  // The peer has closed, or the connection broke; a time-out is neither.
  bool is_lost() const { return lost_; }
  // To the request that is sent next: nothing has come before it.
  void expect_answer() {
    got_bytes_ = false;
    just_asked_ = true;
  }
  bool has_unread() const { return !pending_.empty(); }

 private:
  Task<Result<void>> send(const Request& request, const std::string& host);
  // `bytes` are in a buffer that all connections share: they are there until the next co_await.
  Task<IoState> read_more(std::string_view& bytes);
  IoStep read_available(std::string_view& bytes);
  std::optional<Result<ParseState>> feed(ResponseParser& parser, std::string_view fresh);

  Transport transport_;
  std::string pending_;  // received, not consumed
  bool got_bytes_ = false;
  bool just_asked_ = false;  // an answer takes time: it is waited for before it is looked for
  bool lost_ = false;
};

}  // namespace relay::http
