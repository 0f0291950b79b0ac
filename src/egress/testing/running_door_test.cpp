#include "egress/testing/running_door.hpp"

#include "http/testing/running_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>
#include <new>
#include <sys/socket.h>
#include <utility>

namespace relay::egress::testing {

Upstream own_upstream(const std::string& url) {
  Upstream own;
  own.name = "own";
  own.endpoint = *http::Endpoint::parse(url);
  own.credential = {CredentialPlace::Kind::kHeader, "Authorization", "Bearer "};
  return own;
}

RunningDoor::RunningDoor(std::vector<Upstream> upstreams, DoorOptions options,
                         const Around& settings)
    : upstreams_(std::move(upstreams)),
      tunnel_rules_(settings.tunnels),
      tunnels_(loop_.get_executor(), settings.to_upstream, settings.admits) {
  for (const Upstream& upstream : upstreams_) {
    pools_.try_emplace(upstream.name, loop_.get_executor(), upstream.endpoint,
                       settings.to_upstream);
    meters_.try_emplace(upstream.name, upstream.name, settings.budget);
  }
  Surroundings around;
  around.upstreams = upstreams_;
  around.connections = [this](const Upstream& upstream) -> UpstreamConnections& {
    return pools_.at(upstream.name);
  };
  around.credential = [this](const Upstream&, const std::string&) -> Task<Result<std::string>> {
    if (closes_behind(Moment::kCredentialIsHad)) co_await asio::post(loop_, asio::use_awaitable);
    if (!no_credential_.empty()) co_return make_error(ErrorType::kInternalError, no_credential_);
    co_return secret_;
  };
  around.refused = [this](const Upstream&, const std::string& secret) {
    ++refusals_;
    if (fails_) throw std::bad_alloc();
    if (secret == secret_ && !next_secret_.empty()) secret_ = next_secret_;
  };
  around.meter = [this](const std::string& name) -> Meter& {
    return meters_.try_emplace(name, name, Budget()).first->second;
  };
  around.tunnel_rules = tunnel_rules_;
  around.tunnels = &tunnels_;
  around.over = [this](const Account& account) {
    closes_behind(Moment::kRequestIsOver);
    const std::lock_guard lock(mutex_);
    accounts_.push_back(account);
  };
  around.session = this;
  around.token = settings.token;
  around.silence = settings.silence;
  around.idle = settings.idle;
  auto made = Door::at_loopback(loop_.get_executor(), options, std::move(around), Logger::silent());
  if (!made) std::abort();
  door_ = std::move(*made);
  port_ = door_->port();
  asio::co_spawn(loop_, door_->run(), asio::detached);
  thread_ = std::thread([this] { loop_.run(); });
}

RunningDoor::~RunningDoor() {
  close();
  work_.reset();
  thread_.join();
}

void RunningDoor::close() {
  if (!door_) return;
  asio::co_spawn(loop_, door_->close(), asio::use_future).get();
  on_loop([this] {
    door_.reset();
    pools_.clear();
  });
}

void RunningDoor::close_behind(Moment moment) {
  on_loop([this, moment] { closes_behind_ = moment; });
}

bool RunningDoor::closes_behind(Moment moment) {
  if (moment != closes_behind_) return false;
  closes_behind_ = Moment::kNone;
  asio::post(loop_, [this] { asio::co_spawn(loop_, door_->close(), asio::detached); });
  return true;
}

void RunningDoor::on_loop(const std::function<void()>& action) {
  std::promise<void> done;
  asio::post(loop_, [&] {
    action();
    done.set_value();
  });
  done.get_future().get();
}

std::vector<Account> RunningDoor::accounts(std::size_t count) {
  std::vector<Account> copy;
  EXPECT_TRUE(http::testing::eventually([&] {
    const std::lock_guard lock(mutex_);
    copy = accounts_;
    return copy.size() >= count;
  }));
  copy.resize(std::max(count, copy.size()));
  return copy;
}

std::size_t RunningDoor::connections() {
  std::size_t count = 0;
  on_loop([&] { count = door_->connections(); });
  return count;
}

void RunningDoor::tick(AgentConnection::Clock::time_point now) {
  on_loop([&] { door_->tick(now); });
}

void RunningDoor::forget_credential(std::string reason) {
  on_loop([&] { no_credential_ = std::move(reason); });
}

void RunningDoor::give_credential(std::string secret, std::string next) {
  on_loop([&] {
    secret_ = std::move(secret);
    next_secret_ = std::move(next);
  });
}

std::size_t RunningDoor::refusals() {
  std::size_t count = 0;
  on_loop([&] { count = refusals_; });
  return count;
}

void RunningDoor::fail_when_refused() {
  on_loop([this] { fails_ = true; });
}

std::unique_ptr<http::testing::RawClient> RunningDoor::deaf_agent(std::string_view asks) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  const std::string before(64u << 10, 'x');
  for (const std::size_t bytes : {before.size(), std::size_t{1}}) {
    while (::send(ends[0], before.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) continue;
  }
  auto agent = std::make_unique<http::testing::RawClient>(UniqueFd(ends[1]));
  agent->send(asks);
  on_loop([&] {
    http::Transport::Socket socket(loop_);
    socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
    door_->admit(std::move(socket));
  });
  return agent;
}

bool RunningDoor::all_time_out() {
  return http::testing::eventually([this] {
    tick(AgentConnection::Clock::now() + std::chrono::hours(2));
    return connections() == 0;
  });
}

Spent RunningDoor::spent() {
  Spent copy;
  on_loop([&] { copy = meters_.at("own").spent(); });
  return copy;
}

void RunningDoor::watch_turns() {
  on_loop([this] {
    looks_ = true;
    look();
  });
}

RunningDoor::Most RunningDoor::most_in_a_turn() {
  Most most;
  on_loop([&] {
    looks_ = false;
    most = most_in_a_turn_;
  });
  return most;
}

void RunningDoor::look() {
  const std::uint64_t answered = meters_.at("own").spent().received_bytes;
  const std::lock_guard lock(mutex_);
  const std::uint64_t over = accounts_.size();
  Most& most = most_in_a_turn_;
  most.bytes = std::max(most.bytes, answered - std::exchange(answered_, answered));
  most.requests = std::max(most.requests, over - std::exchange(over_, over));
  if (looks_) asio::post(loop_, [this] { look(); });
}

std::unique_ptr<http::testing::RawClient> DoorTest::ask(http::testing::RawClient& agent) {
  agent.send(kGet);
  auto peer = upstream_.accept();
  peer->read_until("\r\n\r\n");
  return peer;
}

std::unique_ptr<http::testing::RawClient> DoorTest::upgrade(http::testing::RawClient& agent) {
  agent.send(
      "GET /own/v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
      "Upgrade: websocket\r\n\r\n");
  auto peer = upstream_.accept();
  peer->read_until("\r\n\r\n");
  peer->send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  agent.read_until("\r\n\r\n");
  return peer;
}

}  // namespace relay::egress::testing
