#include "egress/testing/running_door.hpp"

#include "http/testing/running_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>

namespace relay::egress::testing {

Upstream own_upstream(const std::string& url) {
  Upstream own;
  own.name = "own";
  own.endpoint = *http::Endpoint::parse(url);
  own.credential = {CredentialPlace::Kind::kHeader, "Authorization", "Bearer "};
  return own;
}

RunningDoor::RunningDoor(std::vector<Upstream> upstreams, DoorOptions options,
                         std::chrono::milliseconds silence)
    : upstreams_(std::move(upstreams)) {
  for (const Upstream& upstream : upstreams_) {
    pools_.try_emplace(upstream.name, loop_.get_executor(), upstream.endpoint,
                       std::chrono::milliseconds(5'000));
  }
  Surroundings around;
  around.upstreams = upstreams_;
  around.connections = [this](const Upstream& upstream) -> UpstreamConnections& {
    return pools_.at(upstream.name);
  };
  around.credential = [this](const Upstream&) -> Task<Result<std::string>> {
    if (!no_credential_.empty()) co_return make_error(ErrorType::kInternalError, no_credential_);
    co_return std::string("real");
  };
  around.within_budget = [this](const Upstream&) -> std::optional<Denial> {
    if (!spent_) return std::nullopt;
    return Denial{Refusal::kOverBudget, 429, "the budget is spent", "egress.budget", "Raise it."};
  };
  around.over = [this](const Account& account) {
    const std::lock_guard lock(mutex_);
    accounts_.push_back(account);
  };
  around.silence = silence;
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

void RunningDoor::forget_credential(std::string reason) {
  on_loop([&] { no_credential_ = std::move(reason); });
}

void RunningDoor::spend_budget() {
  on_loop([this] { spent_ = true; });
}

}  // namespace relay::egress::testing
