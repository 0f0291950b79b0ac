#include "http/server.hpp"

#include "http/listener.hpp"
#include "http/server_connection.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace relay::http {

namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using tcp = asio::ip::tcp;

constexpr milliseconds kAcceptPause{200};  // after the descriptors ran out
constexpr std::size_t kMaxRefusals = 64;   // connections that are being told 503
constexpr milliseconds kStopPoll{5};

bool out_of_resources(const error_code& code) {
  return code.value() == EMFILE || code.value() == ENFILE || code.value() == ENOBUFS ||
         code.value() == ENOMEM;
}

// Often enough that no deadline is missed by more than a quarter.
milliseconds tick_interval(const ServerOptions& options) {
  const milliseconds shortest = std::min(
      {options.header_timeout, options.pace.pause, options.pace.total, options.keep_alive_timeout,
       options.websocket.ping_interval, options.websocket.pong_deadline, options.lost_peer_time});
  return std::clamp(shortest / 4, milliseconds(5), milliseconds(1000));
}

std::string to_text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string host = endpoint.address().is_v6() ? "[" + address + "]" : address;
  return host + ":" + std::to_string(endpoint.port());
}

class TcpServer final : public Server {
 public:
  TcpServer(asio::any_io_executor executor, tcp::acceptor acceptor, ServerOptions options,
            Handler handler, Logger log, std::shared_ptr<TlsContext> tls)
      : acceptor_(std::move(acceptor)),
        pause_(executor),
        core_(std::move(options), std::move(handler), std::move(log)),
        scope_(executor, [this](const std::string& task, std::exception_ptr failure) {
          report(task, failure);
        }) {
    core_.tls = std::move(tls);
    error_code ignored;
    port_ = acceptor_.local_endpoint(ignored).port();
  }

  Result<void> listen() override { return start_listening(acceptor_, core_.options); }
  Task<void> run() override;
  void stop_accepting() override;
  Task<void> stop(milliseconds deadline) override;
  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return core_.connections.size(); }

 private:
  Task<void> sweep();
  Task<void> pause(const error_code& code);
  void admit(tcp::socket socket);
  void report(const std::string& task, std::exception_ptr failure);
  void spawn_sweep();

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  ServerCore core_;
  std::uint16_t port_ = 0;
  std::size_t refusals_ = 0;
  bool exhausted_ = false;  // the current lack of descriptors has been logged
  bool sweeping_ = false;
  TaskScope scope_;
};

Task<void> TcpServer::run() {
  while (acceptor_.is_open()) {
    auto [failure, socket] = co_await acceptor_.async_accept(kNoThrow);
    if (!acceptor_.is_open() || failure == asio::error::operation_aborted) break;
    if (!failure) {
      if (exhausted_)
        core_.log.info("accepting connections again", {{"server", core_.options.name}});
      exhausted_ = false;
      admit(std::move(socket));
    } else if (failure != asio::error::connection_aborted) {
      co_await pause(failure);
    }
  }
}

Task<void> TcpServer::pause(const error_code& code) {
  if (!exhausted_) {
    exhausted_ = true;
    core_.log.error("cannot accept connections, trying again until it works",
                    {{"server", core_.options.name},
                     {"reason", code.message()},
                     {"remedy", out_of_resources(code)
                                    ? "raise the limit of open files (ulimit -n, LimitNOFILE)"
                                    : "see the reason"}});
  }
  pause_.expires_after(kAcceptPause);
  co_await pause_.async_wait(kNoThrow);
}

void TcpServer::admit(tcp::socket socket) {
  error_code code;
  const tcp::endpoint peer = socket.remote_endpoint(code);
  if (code) return;
  socket.set_option(tcp::no_delay(true), code);
  const tcp::endpoint local = socket.local_endpoint(code);
  const bool refused = core_.connections.size() - refusals_ >= core_.options.max_connections;
  if (refused && refusals_ >= kMaxRefusals) return;
  const auto connection = std::make_shared<ServerConnection>(
      core_, Transport::Socket(std::move(socket)), to_text(peer), local.port());
  if (refused) {
    ++refusals_;
    scope_.spawn("refuse", [this, connection]() -> Task<void> {
      struct Count {
        explicit Count(std::size_t& to_lower) : count(to_lower) {}
        Count(const Count&) = delete;
        Count& operator=(const Count&) = delete;
        ~Count() { --count; }
        std::size_t& count;
      };
      const Count count(refusals_);
      co_await connection->refuse();
    });
  } else {
    scope_.spawn("connection", [connection] { return connection->serve(); });
  }
  if (!sweeping_) spawn_sweep();
}

// One timer for the deadlines and pings of all connections; it rests while there are none.
void TcpServer::spawn_sweep() {
  sweeping_ = true;
  scope_.spawn("sweep", [this] { return sweep(); });
}

Task<void> TcpServer::sweep() {
  const milliseconds interval = tick_interval(core_.options);
  while (!core_.connections.empty()) {
    const bool slept = co_await sleep_for(interval);
    if (!slept) break;
    const auto now = std::chrono::steady_clock::now();
    for (ServerConnection* connection : core_.connections) connection->tick(now);
  }
  sweeping_ = false;
}

void TcpServer::stop_accepting() {
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

Task<void> TcpServer::stop(milliseconds deadline) {
  co_await asio::this_coro::throw_if_cancelled(false);
  core_.stopping = true;
  stop_accepting();
  for (ServerConnection* connection : core_.connections) connection->end_if_idle();
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!core_.connections.empty() && std::chrono::steady_clock::now() < end) {
    const bool slept = co_await sleep_for(kStopPoll);
    if (!slept) break;
  }
  for (ServerConnection* connection : core_.connections) connection->going_away();
  scope_.cancel();
  co_await asio::this_coro::reset_cancellation_state();
  co_await scope_.join();
}

void TcpServer::report(const std::string& task, std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    core_.log.error("connection failed",
                    {{"server", core_.options.name}, {"task", task}, {"reason", error.what()}});
  } catch (...) {
    core_.log.error("connection failed", {{"server", core_.options.name}, {"task", task}});
  }
}

}  // namespace

Task<void> peer_gone(Exchange& exchange, HalfClosed half_closed) {
  // A wait that the loop owns: an Event here would keep what waits for it, and so itself.
  asio::steady_timer until_gone(exchange.executor(), asio::steady_timer::time_point::max());
  PeerEvents events;
  events.gone = [&until_gone] { until_gone.cancel(); };
  const auto watch = exchange.watch_peer(half_closed, std::move(events));
  co_await until_gone.async_wait(kNoThrow);
}

Result<std::unique_ptr<Server>> Server::bind(asio::any_io_executor executor, ServerOptions options,
                                             Handler handler, Logger log) {
  std::shared_ptr<TlsContext> tls;
  if (options.tls) {
    Result<std::shared_ptr<TlsContext>> loaded =
        TlsContext::server(options.tls->certificate_chain, options.tls->private_key);
    if (!loaded) return loaded.error();
    tls = std::move(*loaded);
  }
  Result<tcp::acceptor> acceptor = bind_listener(executor, options);
  if (!acceptor) return acceptor.error();
  std::unique_ptr<Server> server =
      std::make_unique<TcpServer>(executor, std::move(*acceptor), std::move(options),
                                  std::move(handler), std::move(log), std::move(tls));
  return server;
}

}  // namespace relay::http
