// HTTP/1.1 server: one coroutine a connection, keep-alive, limits and deadlines at the edge, TLS
// from PEM files, upgrade to WebSocket. Beast reads HTTP; what a request means is the handler's.
//
// Answered here, before the handler: malformed head or chunks, or more around the chunks of a body
// than its size allows (400), head over its limit (431), whatever ServerOptions::judge_head refuses
// (before 100 Continue and without keeping the body), body over its limit (413 from Content-Length,
// without reading it; also for chunked bodies as they pass it), a head or body that comes too
// slowly (408), more bodies at a time than there is memory for (503). All of them close the
// connection. A JSON error body is made by ServerOptions::error_body.
#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "http/body_budget.hpp"
#include "http/body_pace.hpp"
#include "http/lost_peer.hpp"
#include "http/message.hpp"
#include "http/websocket.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace relay::http {

struct TlsFiles {
  std::string certificate_chain;  // PEM paths
  std::string private_key;
};

// For the body of a request that says all in its head.
inline constexpr std::size_t kUnreadBodyBytes = 4u << 10;

// What a head decides of a request that has a body.
struct HeadVerdict {
  std::optional<Response> refusal;
  std::optional<std::size_t> max_body_bytes;  // where less than ServerOptions' is enough
};

struct ServerOptions {
  std::string name;                // for the log: "http", "websocket", "management"
  std::string host = "127.0.0.1";  // an address, or a name that resolves
  std::uint16_t port = 0;          // 0: any free one
  std::string host_key;            // configuration keys that errors name, e.g. "server.http_host"
  std::string port_key;
  std::optional<TlsFiles> tls;
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_body_bytes = 32u << 20;
  std::size_t max_connections = 4096;
  std::chrono::milliseconds header_timeout{10'000};  // from the first byte to the end of the head
  BodyPace pace;  // of what comes; a pause of that length is too long for what is sent, too
  std::shared_ptr<BodyBudget> body_budget;  // of all ports; null: without a limit
  std::chrono::milliseconds keep_alive_timeout{75'000};
  std::chrono::milliseconds lost_peer_time = kLostPeerTime;  // without any sign of life
  WebSocketOptions websocket;
  // Asked when the head of a request with a body is there. The request has no body yet. May be
  // empty. What it lets pass, and what has no body, is the handler's to refuse.
  std::function<HeadVerdict(const Request& head)> judge_head;
  // Body (application/json) for a status that the server itself answers: 400, 408, 413, 431, 503.
  std::function<std::string(int status, std::string_view explanation)> error_body;
};

// What a peer is that has ended its sending side.
enum class HalfClosed { kIsGone, kListensOn };

// What a handler is told of its peer, in turns of the loop of their own. Either may be empty.
struct PeerEvents {
  // Nobody waits for the answer any more: the peer has gone away, or floods the connection with
  // further requests. Once. Unless it is one that just ended its side (kIsGone), the connection
  // ends with the answer.
  std::function<void()> gone;
  // It has ended its sending side, and may listen on. Whether it does shows when something is sent
  // to it, so before an answer has begun that is an interim response (100). Once.
  std::function<void()> half_closed;
};

// They are told for as long as it lives.
class PeerWatch {
 public:
  virtual ~PeerWatch() = default;
};

// One request and the way to answer it. Lives as long as the handler runs. A handler that returns
// without an answer is a bug and gets 500. Not copied, not moved.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  virtual Request& request() = 0;  // a handler may move the body out

  // One whole answer (Content-Length; Connection by keep-alive rules).
  virtual Task<Result<void>> respond(Response response) = 0;

  // A streamed answer: head now, then chunks (Transfer-Encoding: chunked; one write a call), then
  // finish().
  virtual Task<Result<void>> start_stream(Response head) = 0;
  virtual Task<Result<void>> write(std::string_view bytes) = 0;
  virtual Task<Result<void>> finish() = 0;

  // For a handler that waits for something else. One at a time; the exchange outlives it.
  virtual std::unique_ptr<PeerWatch> watch_peer(HalfClosed half_closed, PeerEvents events) = 0;

  // True when the request asks for `Upgrade: websocket` with `Connection: Upgrade`.
  virtual bool wants_websocket() const = 0;
  // Answers 101 and turns the connection into a WebSocket (owned by the exchange). `subprotocol` is
  // echoed when not empty. Further headers may be added. Fails when the handshake is not valid:
  // 400/426 was sent.
  virtual Task<Result<WebSocket*>> accept_websocket(std::string subprotocol, Headers extra) = 0;

  virtual asio::any_io_executor executor() const = 0;
};

// Returns when the peer is gone, or the coroutine is cancelled.
Task<void> peer_gone(Exchange& exchange, HalfClosed half_closed);

using Handler = std::function<Task<void>(Exchange&)>;

class Server {
 public:
  virtual ~Server() = default;

  // Takes the address; nobody can connect before listen(). Errors of both name the key to change
  // (host_key, port_key).
  static Result<std::unique_ptr<Server>> bind(asio::any_io_executor executor, ServerOptions options,
                                              Handler handler, Logger log);

  // Clients can connect; they are answered from run() on.
  virtual Result<void> listen() = 0;

  // Accepts until stop(). Descriptor exhaustion pauses accepting, it never spins and never ends the
  // server.
  virtual Task<void> run() = 0;

  // Closes the listening socket; what is connected goes on.
  virtual void stop_accepting() = 0;

  // Stops accepting, lets running exchanges end until `deadline` has passed, then cancels them
  // (WebSockets are closed with 1001 by their handlers or here). Returns when every connection is
  // gone.
  virtual Task<void> stop(std::chrono::milliseconds deadline) = 0;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
};

}  // namespace relay::http
