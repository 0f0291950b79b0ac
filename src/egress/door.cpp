#include "egress/door.hpp"

#include "base/finally.hpp"
#include "base/unique_fd.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace relay::egress {
namespace {

using boost::system::error_code;

constexpr std::chrono::milliseconds kPause{200};  // after the descriptors ran out
constexpr std::size_t kMaxRefused = 16;  // connections that are being told why; more are closed
constexpr mode_t kForEverybody = 0666;

error_code last_error() { return {errno, boost::system::system_category()}; }

// Often enough that no deadline is missed by more than a quarter, and no oftener: each session has
// a door.
std::chrono::milliseconds tick_interval(const DoorOptions& options, const Surroundings& around) {
  const auto shortest = std::min({around.silence, around.idle, options.limits.head_timeout});
  return std::max(shortest / 4, std::chrono::milliseconds(5));
}

Error cannot_listen(const std::string& where, const error_code& code) {
  return make_error(ErrorType::kInternalError,
                    "egress: cannot listen at " + where + ": " + code.message());
}

Result<Door::Acceptor> listen(const asio::any_io_executor& executor, const Door::Endpoint& endpoint,
                              const std::string& where) {
  Door::Acceptor acceptor(executor);
  error_code code;
  acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (!code) acceptor.non_blocking(true, code);
  if (code) return cannot_listen(where, code);
  return acceptor;
}

}  // namespace

Result<std::unique_ptr<Door>> Door::at_path(asio::any_io_executor executor, const std::string& path,
                                            DoorOptions options, Surroundings surroundings,
                                            Logger log) {
  // A path of any length: that of a socket is short (unix(7)), so its directory gets a short name.
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return cannot_listen(path, last_error());
  const std::string short_path =
      "/proc/self/fd/" + std::to_string(opened.get()) + "/" + path.substr(slash + 1);
  ::unlink(path.c_str());
  Result<Acceptor> acceptor =
      listen(executor, asio::local::stream_protocol::endpoint(short_path), path);
  if (!acceptor) return acceptor.error();
  // Agents run as users of their own. The umask made it narrower.
  if (::chmod(path.c_str(), kForEverybody) != 0) {
    return cannot_listen(path, last_error());
  }
  return std::make_unique<Door>(std::move(executor), std::move(*acceptor), options,
                                std::move(surroundings), std::move(log));
}

Result<std::unique_ptr<Door>> Door::at_loopback(asio::any_io_executor executor, DoorOptions options,
                                                Surroundings surroundings, Logger log) {
  const asio::ip::tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);
  Result<Acceptor> acceptor = listen(executor, any_port, "127.0.0.1");
  if (!acceptor) return acceptor.error();
  return std::make_unique<Door>(std::move(executor), std::move(*acceptor), options,
                                std::move(surroundings), std::move(log));
}

Door::Door(asio::any_io_executor executor, Acceptor acceptor, DoorOptions options,
           Surroundings surroundings, Logger log)
    : acceptor_(std::move(acceptor)),
      options_(options),
      surroundings_(std::move(surroundings)),
      log_(std::move(log)),
      scope_(std::move(executor), [this](const std::string&, std::exception_ptr) {
        log_.error("a connection of the agent failed", {});
      }) {}

Task<void> Door::run() {
  while (acceptor_.is_open()) {
    auto [failure, socket] = co_await acceptor_.async_accept(kNoThrow);
    if (!acceptor_.is_open() || failure == asio::error::operation_aborted) break;
    if (!failure) {
      exhausted_ = false;
      admit(std::move(socket));
    } else if (failure != asio::error::connection_aborted) {
      co_await pause(failure.message());
    }
  }
}

Task<void> Door::pause(const std::string& reason) {
  if (!exhausted_) {
    exhausted_ = true;
    log_.error("egress: cannot accept connections, trying again until it works",
               {{"reason", reason}, {"remedy", "raise the limit of open files (ulimit -n)"}});
  }
  [[maybe_unused]] const bool passed = co_await sleep_for(kPause);
}

// Those that are told that there are too many have no place. The agent does not wait for strangers,
// who may be many: the first of them goes.
bool Door::has_room() {
  if (served() < options_.max_connections) return true;
  const auto stranger = std::ranges::find_if(connections_, [](const Place& place) {
    return place.is_served && place.connection->is_stranger();
  });
  if (stranger == connections_.end()) return false;
  stranger->connection->close();
  return true;
}

// Those that have been closed, and are about to go, are none any more.
std::size_t Door::served() const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [](const Place& place) {
    return place.is_served && !place.connection->is_closed();
  }));
}

void Door::admit(http::Transport::Socket socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  // Otherwise each part of an answer may wait for what the agent says of the one before. Of no use
  // to a Unix socket, which has no such option.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  const bool is_welcome = has_room();
  if (!is_welcome && connections_.size() - served() >= kMaxRefused) return;
  auto connection =
      std::make_shared<AgentConnection>(std::move(socket), options_.limits, surroundings_);
  const auto place = connections_.insert(connections_.end(), {connection.get(), is_welcome});
  scope_.spawn("agent", [this, connection, place, is_welcome]() -> Task<void> {
    const Finally gone([this, place] { connections_.erase(place); });
    if (is_welcome) {
      co_await connection->serve();
    } else {
      co_await connection->refuse(options_.max_connections);
    }
  });
  if (!std::exchange(sweeping_, true)) scope_.spawn("sweep", [this] { return sweep(); });
}

// One timer for the deadlines of all connections; it rests while there are none.
Task<void> Door::sweep() {
  const auto interval = tick_interval(options_, surroundings_);
  while (!connections_.empty()) {
    const bool slept = co_await sleep_for(interval);
    if (!slept) break;
    tick(AgentConnection::Clock::now());
  }
  sweeping_ = false;
}

void Door::tick(AgentConnection::Clock::time_point now) {
  for (const Place& place : connections_) place.connection->tick(now);
}

void Door::stop() {
  error_code ignored;
  acceptor_.close(ignored);
}

Task<void> Door::close() {
  stop();
  for (const Place& place : connections_) place.connection->close();
  scope_.cancel();
  co_await scope_.join();
}

std::uint16_t Door::port() const {
  error_code ignored;
  const Endpoint local = acceptor_.local_endpoint(ignored);
  if (local.protocol().family() != AF_INET) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(local.data())->sin_port);
}

}  // namespace relay::egress
