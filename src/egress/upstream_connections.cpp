#include "egress/upstream_connections.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace relay::egress {
namespace {

// Shorter than what servers grant, so that a request seldom meets a connection as it is closed.
constexpr std::chrono::seconds kKeepTime{30};
constexpr std::size_t kMaxKept = 64;
constexpr std::size_t kLookUps = 4;  // of the upstream's name, at a time

}  // namespace

UpstreamConnections::UpstreamConnections(asio::any_io_executor executor, http::Endpoint endpoint,
                                         const Limits& limits)
    : executor_(executor),
      endpoint_(std::move(endpoint)),
      limits_(limits),
      names_(executor, kLookUps, limits.connect_timeout),
      places_(limits.max_open),
      sweep_(executor) {}

UpstreamConnections::Connection UpstreamConnections::take_kept(Holder holder) {
  while (!kept_.empty()) {
    // The youngest: the others may come to their end.
    Connection connection = std::move(kept_.back().connection);
    kept_.pop_back();
    if (!connection->transport().is_quiet()) continue;
    connection.get_deleter().place->give_to(holder);
    return connection;
  }
  return nullptr;
}

Task<Result<UpstreamConnections::Connection>> UpstreamConnections::connect(Holder holder) {
  const std::shared_ptr<Places::Place> place = places_.take(holder);
  if (!place) {
    co_return make_error(
        ErrorType::kInternalError,
        "there are " + std::to_string(open()) + " connections to it" + of_share(limits_.max_open))
        .with("errno", std::int64_t{EUSERS});
  }
  if (!tls_ && endpoint_.transport == http::Endpoint::Transport::kTls) {
    auto made = http::TlsContext::client(http::client_files(endpoint_));
    if (!made) co_return made.error();
    tls_ = std::move(*made);
  }
  auto made = co_await http::ClientConnection::connect(executor_, endpoint_,
                                                       limits_.connect_timeout, tls_, &names_);
  if (!made) co_return made.error();
  co_return Connection(made->release(), Release{place});
}

void UpstreamConnections::keep(Connection connection) {
  if (closed_) return;
  connection.get_deleter().place->give_to(nullptr);
  if (kept_.size() >= kMaxKept) kept_.pop_front();
  kept_.push_back({std::move(connection), Clock::now() + kKeepTime});
  if (!is_sweeping_) drop_expired();
}

void UpstreamConnections::close() {
  closed_ = true;
  kept_.clear();
  sweep_.cancel();
}

// Runs as long as something is kept when it looks: a connection that is taken and comes back for
// each request does not set the timer each time.
void UpstreamConnections::drop_expired() {
  const Clock::time_point now = Clock::now();
  while (!kept_.empty() && kept_.front().until <= now) kept_.pop_front();
  is_sweeping_ = !kept_.empty();
  if (!is_sweeping_) return;
  sweep_.expires_at(kept_.front().until);
  const std::weak_ptr<void> alive = alive_;
  sweep_.async_wait([this, alive](const boost::system::error_code& failure) {
    if (!failure && !alive.expired()) drop_expired();
  });
}

}  // namespace relay::egress
