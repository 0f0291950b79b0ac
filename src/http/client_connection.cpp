#include "http/client_connection.hpp"

#include "http/connect_to_any.hpp"
#include "http/deadline.hpp"
#include "http/message_format.hpp"
#include "http/name_lookup.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <array>
#include <cerrno>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace relay::http {

namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;

Error connect_error(const Endpoint& endpoint, int number, std::string_view reason) {
  return make_error(ErrorType::kInternalError,
                    "cannot connect to " + endpoint.to_string() + ": " + std::string(reason))
      .suggest("Check that the server runs and that the address is right.")
      .with("errno", std::int64_t{number})
      .retryable();
}

Error too_late(const Endpoint& endpoint) {
  return connect_error(endpoint, ETIMEDOUT, "it took too long");
}

Error lost() {
  return make_error(ErrorType::kInternalError, "the connection was lost")
      .with("errno", std::int64_t{ECONNRESET})
      .retryable();
}

constexpr std::size_t kRecordBytes = 16u << 10;  // the most that one TLS record brings
constexpr std::size_t kMaxHeaderBytes = 64u << 10;

constexpr int kMaxInterim = 32;  // before an answer

bool is_interim(int status) { return status / 100 == 1 && status != 101; }

}  // namespace

TlsContext::ClientFiles client_files(const Endpoint& endpoint) {
  return {endpoint.ca_file, endpoint.certificate_file, endpoint.key_file, endpoint.pinned_file,
          endpoint.verify_peer};
}

Error timed_out() {
  return make_error(ErrorType::kInternalError, "the server did not answer in time")
      .with("errno", std::int64_t{ETIMEDOUT})
      .retryable();
}

Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::connect(
    asio::any_io_executor executor, const Endpoint& endpoint, std::chrono::milliseconds timeout,
    std::shared_ptr<const TlsContext> tls, BlockingCalls* names) {
  tcp::resolver resolver(executor);
  Transport* connected = nullptr;
  const auto give_up = [&resolver, &connected] {
    resolver.cancel();
    if (connected != nullptr) connected->close();
  };
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until =
      timeout.count() == 0 ? Clock::time_point::max() : Clock::now() + timeout;
  const Deadline deadline(executor, timeout, give_up);
  Addresses addresses;
  error_code code;
  if (endpoint.transport == Endpoint::Transport::kUnix) {
    if (endpoint.socket_path.size() > kMaxSocketPath) {
      co_return connect_error(endpoint, ENAMETOOLONG, "the socket's path is too long");
    }
    addresses.emplace_back(asio::local::stream_protocol::endpoint(endpoint.socket_path));
  } else if (const auto address = asio::ip::make_address(endpoint.host, code); !code) {
    addresses.emplace_back(tcp::endpoint(address, endpoint.port));
  } else if (names != nullptr) {
    std::function<Result<Addresses>()> call = [host = endpoint.host, port = endpoint.port] {
      return look_up(host, port);
    };
    Result<Addresses> found = co_await names->run(endpoint.host, std::move(call));
    if (!found) {
      const bool late = found.error().type == ErrorType::kWorkspaceUnavailable;
      co_return connect_error(endpoint, late ? ETIMEDOUT : ENXIO,
                              late ? "its name is not found in time" : found.error().explanation);
    }
    addresses = std::move(*found);
  } else {
    const std::string service = std::to_string(endpoint.port);
    const auto [failure, found] = co_await resolver.async_resolve(endpoint.host, service, kNoThrow);
    if (failure && !deadline.expired()) co_return connect_error(endpoint, ENXIO, failure.message());
    for (const auto& entry : found) addresses.emplace_back(entry.endpoint());
  }
  if (deadline.expired()) co_return too_late(endpoint);
  Result<Transport::Socket> socket = co_await connect_to_any(executor, addresses, until);
  if (!socket) {
    const Error& error = socket.error();
    co_return connect_error(endpoint, static_cast<int>(number_of(error, "errno")),
                            error.explanation);
  }
  auto connection = std::make_unique<ClientConnection>(std::move(*socket));
  if (endpoint.transport == Endpoint::Transport::kTls) {
    if (deadline.expired()) co_return too_late(endpoint);
    if (!tls) {
      const auto made = TlsContext::client(client_files(endpoint));
      if (!made) co_return made.error();
      tls = *made;
    }
    Transport& transport = connection->transport();
    transport.start_tls(tls->connect(transport.socket().native_handle(), endpoint.host));
    connected = &transport;
    const IoState state = co_await transport.handshake();
    connected = nullptr;
    if (deadline.expired()) co_return too_late(endpoint);
    if (state != IoState::kDone) {
      co_return connect_error(endpoint, EPROTO, "TLS: " + transport.tls_failure());
    }
  }
  co_return connection;
}

Task<Result<void>> ClientConnection::send(const Request& request, const std::string& host) {
  std::string head;
  append_request_head(head, request, host);
  const std::array<std::string_view, 2> parts{head, request.body};
  const std::function<void()> nothing;
  const bool written = co_await transport_.write_all(parts, nothing);
  lost_ = !written;
  if (!written) co_return lost();
  co_return Result<void>();
}

Task<Result<ParseState>> ClientConnection::ask(const Request& request, const std::string& host,
                                               std::unique_ptr<ResponseParser>& parser,
                                               std::size_t max_body_bytes,
                                               std::chrono::milliseconds timeout) {
  const Deadline deadline(transport_.executor(), timeout, [this] { transport_.close(); });
  const Result<void> sent = co_await send(request, host);
  if (!sent && deadline.expired()) co_return timed_out();
  if (!sent) co_return sent.error();
  Result<ParseState> head = co_await read_head(parser, max_body_bytes, request.method == "HEAD");
  if (!head && deadline.expired()) co_return timed_out();
  co_return head;
}

// All connections of a thread share the buffer, so that one that waits, as most streams do most of
// the time, has none.
IoStep ClientConnection::read_available(std::string_view& bytes) {
  thread_local std::vector<char> buffer(64u << 10);
  IoStep step;
  std::size_t got = 0;
  do {
    step = transport_.try_read(std::span(buffer).subspan(got));
    if (step.state == IoState::kDone) got += step.bytes;
  } while (step.state == IoState::kDone && step.more && buffer.size() - got >= kRecordBytes);
  if (got == 0) return step;
  bytes = {buffer.data(), got};
  got_bytes_ = true;
  return {IoState::kDone, got};
}

Task<IoState> ClientConnection::read_more(std::string_view& bytes) {
  for (;;) {
    IoStep step{IoState::kWaitRead};
    if (!std::exchange(just_asked_, false)) step = read_available(bytes);
    if (!would_block(step.state)) {
      lost_ = step.state != IoState::kDone;
      co_return step.state;
    }
    if (pending_.empty()) pending_ = std::string();  // one that waits keeps no memory
    const auto [failure] = co_await transport_.wait(step.state);
    if (failure) co_return IoState::kFailed;
  }
}

std::optional<Result<ParseState>> ClientConnection::feed_unread(ResponseParser& parser) {
  return pending_.empty() ? std::nullopt : feed(parser, {});
}

// Most is consumed where it lies: only what is left, or has to wait for more, is copied.
std::optional<Result<ParseState>> ClientConnection::feed(ResponseParser& parser,
                                                         std::string_view fresh) {
  ParseStep step;
  if (pending_.empty()) {
    step = parser.feed(fresh);
    pending_.assign(fresh.substr(step.consumed));
  } else {
    pending_ += fresh;
    step = parser.feed(pending_);
    pending_.erase(0, step.consumed);
  }
  if (step.state == ParseState::kFailed) {
    const std::int64_t number = step.status == 413 ? EMSGSIZE : EBADMSG;
    return make_error(ErrorType::kInternalError, "bad answer: " + step.explanation)
        .with("errno", number);
  }
  if (step.state == ParseState::kNeedMore && step.consumed == 0) return std::nullopt;
  return step.state;
}

Task<Result<ParseState>> ClientConnection::advance(ResponseParser& parser) {
  const std::optional<Result<ParseState>> unread = feed_unread(parser);
  if (unread) co_return *unread;
  for (;;) {
    std::string_view fresh;
    const IoState state = co_await read_more(fresh);
    if (state == IoState::kDone) {
      const std::optional<Result<ParseState>> read = feed(parser, fresh);
      if (read) co_return *read;
      continue;
    }
    if (state == IoState::kFailed) co_return lost();
    const ParseStep step = parser.feed_end();
    if (step.state == ParseState::kFailed) {
      co_return make_error(ErrorType::kInternalError, step.explanation)
          .with("errno", std::int64_t{ECONNRESET})
          .retryable();
    }
    co_return step.state;
  }
}

Task<Result<ParseState>> ClientConnection::read_head(std::unique_ptr<ResponseParser>& parser,
                                                     std::size_t max_body_bytes, bool to_head) {
  for (int before = 0; before <= kMaxInterim; ++before) {
    parser = std::make_unique<ResponseParser>(kMaxHeaderBytes, max_body_bytes, to_head);
    ParseState state = ParseState::kNeedMore;
    while (state == ParseState::kNeedMore) {
      const Result<ParseState> next = co_await advance(*parser);
      if (!next) co_return next.error();
      state = *next;
    }
    if (!is_interim(parser->response().status)) co_return state;
  }
  co_return make_error(ErrorType::kInternalError, "bad answer: it says 1xx without end")
      .with("errno", std::int64_t{EBADMSG});
}

Task<Result<std::string>> ClientConnection::read_raw() {
  if (!pending_.empty()) co_return std::exchange(pending_, {});
  std::string_view fresh;
  const IoState state = co_await read_more(fresh);
  if (state == IoState::kFailed) co_return lost();
  co_return std::string(fresh);
}

Task<Result<void>> ClientConnection::write_raw(std::string_view bytes) {
  const std::array<std::string_view, 1> parts{bytes};
  const std::function<void()> nothing;
  const bool written = co_await transport_.write_all(parts, nothing);
  if (!written) co_return lost();
  co_return Result<void>();
}

}  // namespace relay::http
