#include "egress/carried_connections.hpp"

#include "base/unique_fd.hpp"

#include <boost/asio/cancellation_state.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace relay::egress {
namespace {

using Pair = std::pair<http::Transport::Socket, http::Transport::Socket>;

// Two sockets that are connected to each other; none when there are no descriptors.
std::optional<Pair> make_pair(const asio::any_io_executor& executor) {
  std::array<int, 2> ends{};
  const auto type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (::socketpair(AF_UNIX, type, 0, ends.data()) != 0) return std::nullopt;
  UniqueFd first(ends[0]);
  UniqueFd second(ends[1]);
  const asio::generic::stream_protocol protocol(AF_UNIX, 0);
  Pair pair{http::Transport::Socket(executor), http::Transport::Socket(executor)};
  boost::system::error_code failure;
  pair.first.assign(protocol, first.get(), failure);
  if (failure) return std::nullopt;
  first.release();
  pair.second.assign(protocol, second.get(), failure);
  if (failure) return std::nullopt;
  second.release();
  return pair;
}

}  // namespace

using carried::Kind;

struct CarriedConnections::Connection {
  Connection(std::uint32_t its_number, http::Transport::Socket socket)
      : number(its_number),
        relay(std::move(socket)),
        changed_to_relay(relay.executor()),
        changed_to_agent(relay.executor()) {}

  const std::uint32_t number;
  http::Transport relay;  // its other end is where the relay serves the agent
  int halves = 2;         // that are under way

  std::string to_relay;        // that the agent has said
  std::size_t unpaid = 0;      // of what it has said, and was given no credit for yet
  bool agent_ended = false;    // says no more
  bool relay_stopped = false;  // takes no more
  bool relay_ended = false;    // says no more
  Wakeup changed_to_relay;

  std::size_t credit = carried::kWindow;  // of what the relay says
  bool agent_stopped = false;             // takes no more
  Wakeup changed_to_agent;
};

CarriedConnections::CarriedConnections(asio::any_io_executor executor, Streams streams,
                                       std::size_t most, Admit admit)
    : executor_(executor),
      streams_(std::move(streams)),
      most_(most),
      admit_(std::move(admit)),
      outgoing_grew_(executor),
      outgoing_has_room_(executor),
      scope_(std::move(executor), [this](const std::string&, std::exception_ptr) {
        break_rule("a connection failed");
        streams_.close();
      }) {}

Task<bool> CarriedConnections::wait_until_ready() {
  while (early_.size() < carried::kHeadBytes) {
    const std::string bytes = co_await streams_.read();
    if (bytes.empty()) co_return false;
    early_ += bytes;
  }
  carried::Head head;
  const bool is_ready = carried::get(early_.data(), head) && head.kind == Kind::kReady;
  if (is_ready) early_.erase(0, carried::kHeadBytes);
  co_return is_ready;
}

Task<std::string> CarriedConnections::run() {
  // It has children to wait for; its own setting is put back at the end.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  std::exception_ptr failure;
  try {
    co_await listen();
  } catch (...) {
    failure = std::current_exception();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool was_cancelled = is_cancelled(state);
  streams_.close();
  for (const auto& [number, connection] : connections_) connection->relay.close();
  scope_.cancel();
  co_await asio::this_coro::reset_cancellation_state();
  co_await scope_.join();
  connections_.clear();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (failure) std::rethrow_exception(failure);
  if (was_cancelled && throws) throw_cancelled();
  co_return broken_rule_;
}

Task<void> CarriedConnections::listen() {
  scope_.spawn("carrier", [this] { return write(); });
  take(std::exchange(early_, {}));
  while (broken_rule_.empty()) {
    const std::string bytes = co_await streams_.read();
    if (bytes.empty()) co_return;
    take(bytes);
    // Or one that speaks without end would be all that the loop has.
    co_await asio::post(executor_, asio::use_awaitable);
  }
}

bool CarriedConnections::break_rule(std::string rule) {
  if (broken_rule_.empty()) broken_rule_ = std::move(rule);
  return false;
}

bool CarriedConnections::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t wanted = data_left_ > 0 ? data_left_ : carried::kHeadBytes - head_.size();
    const std::string_view part = bytes.substr(0, wanted);
    bytes.remove_prefix(part.size());
    if (data_left_ > 0) {
      data_left_ -= part.size();
      if (!take_data(part)) return false;
      continue;
    }
    head_ += part;
    if (head_.size() < carried::kHeadBytes) return true;
    const bool is_head = carried::get(head_.data(), current_);
    head_.clear();
    if (!is_head) return break_rule("what it says is no frame");
    if (!take_frame(current_)) return false;
  }
  return true;
}

bool CarriedConnections::take_frame(const carried::Head& head) {
  if (head.kind == Kind::kReady) return break_rule("it says twice that it is ready");
  if (head.kind == Kind::kOpen) return open(head.connection);
  if (head.kind == Kind::kData) data_left_ = head.length;
  const auto found = connections_.find(head.connection);
  if (found == connections_.end()) return true;
  Connection& connection = *found->second;
  if (head.kind == Kind::kCredit) {
    connection.credit += head.length;
    if (connection.credit > carried::kWindow) return break_rule("it gives more credit than it has");
    connection.changed_to_agent.notify();
  } else if (head.kind == Kind::kStop) {
    if (std::exchange(connection.agent_stopped, true)) return break_rule("it stops one twice");
    // Whoever serves the connection hears of it by writing, and what waits here by reading.
    boost::system::error_code ignored;
    connection.relay.socket().shutdown(asio::socket_base::shutdown_receive, ignored);
    connection.changed_to_agent.notify();
  } else if (head.kind == Kind::kEnd) {
    if (std::exchange(connection.agent_ended, true)) return break_rule("it ends one twice");
    connection.changed_to_relay.notify();
  }
  return true;
}

bool CarriedConnections::take_data(std::string_view bytes) {
  const auto found = connections_.find(current_.connection);
  if (found == connections_.end()) return true;
  Connection& connection = *found->second;
  if (connection.agent_ended || connection.relay_stopped) return true;
  connection.unpaid += bytes.size();
  if (connection.unpaid > carried::kWindow) return break_rule("it sends more than it may");
  connection.to_relay += bytes;
  connection.changed_to_relay.notify();
  return true;
}

bool CarriedConnections::open(std::uint32_t number) {
  if (number <= last_number_) return break_rule("it numbers two connections alike");
  if (outgoing_.size() >= 2 * kOutgoing) return break_rule("it does not take what it is told");
  last_number_ = number;
  if (connections_.size() >= most_) give_up_one();
  // One that is over for the agent may not be so here yet.
  const bool is_full = connections_.size() >= 2 * most_;
  std::optional<Pair> pair;
  if (!is_full) pair = make_pair(executor_);
  if (!pair) {
    append({number, Kind::kEnd, 0}, {});
    append({number, Kind::kStop, 0}, {});
    return true;
  }
  admit_(std::move(pair->first));
  const auto connection = std::make_shared<Connection>(number, std::move(pair->second));
  connections_.emplace(number, connection);
  scope_.spawn("to the relay", [this, connection] { return carry_to_relay(connection); });
  scope_.spawn("to the agent", [this, connection] { return carry_to_agent(connection); });
  return true;
}

// An agent that has heard all and does not end its side makes room for others.
void CarriedConnections::give_up_one() {
  for (const auto& [number, connection] : connections_) {
    if (!connection->relay_ended || connection->relay_stopped || connection->agent_ended) continue;
    stop(*connection);
    connection->relay.close();
    return connection->changed_to_relay.notify();
  }
}

void CarriedConnections::stop(Connection& connection) {
  connection.to_relay.clear();
  const bool is_news = !connection.agent_ended && !connection.relay_stopped;
  connection.relay_stopped = true;
  if (is_news) say(Kind::kStop, connection);
}

void CarriedConnections::append(const carried::Head& head, std::string_view data) {
  std::array<char, carried::kHeadBytes> text{};
  carried::put(head, text.data());
  outgoing_.append(text.data(), text.size());
  outgoing_ += data;
  outgoing_grew_.notify();
}

void CarriedConnections::say(Kind kind, const Connection& connection, std::uint32_t length) {
  append({connection.number, kind, length}, {});
}

Task<void> CarriedConnections::write() {
  while (true) {
    if (outgoing_.empty()) {
      const bool grew = co_await outgoing_grew_.wait();
      if (!grew) co_return;
      continue;
    }
    const std::string bytes = std::exchange(outgoing_, {});
    outgoing_has_room_.notify();
    const bool written = co_await streams_.write(bytes);
    if (!written) co_return;  // reading ends, too
  }
}

Task<void> CarriedConnections::carry_to_relay(Shared connection) {
  const std::function<void()> nothing;
  while (true) {
    if (connection->to_relay.empty()) {
      if (connection->agent_ended || connection->relay_stopped) break;
      const bool changed = co_await connection->changed_to_relay.wait();
      if (!changed) co_return;
      continue;
    }
    const std::string bytes = std::exchange(connection->to_relay, {});
    const std::array<std::string_view, 1> parts{bytes};
    const bool written = co_await connection->relay.write_all(parts, nothing);
    if (!written) {
      stop(*connection);
      break;
    }
    if (connection->unpaid >= carried::kWindow / 2 && !connection->agent_ended) {
      const std::size_t paid = connection->unpaid - connection->to_relay.size();
      connection->unpaid -= paid;
      if (paid > 0) say(Kind::kCredit, *connection, static_cast<std::uint32_t>(paid));
    }
  }
  connection->relay.shutdown_send();
  half_done(connection);
}

Task<void> CarriedConnections::carry_to_agent(Shared connection) {
  while (!connection->agent_stopped) {
    if (connection->credit == 0) {
      const bool changed = co_await connection->changed_to_agent.wait();
      if (!changed) co_return;
      continue;
    }
    if (outgoing_.size() >= kOutgoing) {
      const bool has_room = co_await outgoing_has_room_.wait();
      if (!has_room) co_return;
      continue;
    }
    const std::size_t most = std::min(buffer_.size(), connection->credit);
    const http::IoStep step = connection->relay.try_read(std::span(buffer_).first(most));
    if (http::would_block(step.state)) {
      const auto [failure] = co_await connection->relay.wait(step.state);
      if (failure) co_return;
      continue;
    }
    if (step.state != http::IoState::kDone) break;
    connection->credit -= step.bytes;
    append({connection->number, Kind::kData, static_cast<std::uint32_t>(step.bytes)},
           {buffer_.data(), step.bytes});
  }
  connection->relay_ended = true;
  if (!connection->agent_stopped) say(Kind::kEnd, *connection);
  half_done(connection);
}

void CarriedConnections::half_done(const Shared& connection) {
  if (--connection->halves == 0) connections_.erase(connection->number);
}

}  // namespace relay::egress
