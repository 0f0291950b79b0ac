// For tests: a door on a loop of its own thread, with what a broker would give it, and a fixture
// that is the agent and the upstream, byte for byte.
#pragma once

#include "egress/door.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace relay::egress::testing {

// An upstream "own" at `url` with a credential, which is "real", as a bearer token.
Upstream own_upstream(const std::string& url);

struct Around {
  std::chrono::milliseconds silence{20'000};
  std::chrono::milliseconds idle{20'000};
  std::string token;
  Budget budget;  // of each upstream
  UpstreamConnections::Limits to_upstream{std::chrono::seconds(5), 1024};
  std::vector<TunnelRule> tunnels;
  Tunnels::Admits admits = is_elsewhere;
};

class RunningDoor {
 public:
  explicit RunningDoor(std::vector<Upstream> upstreams, DoorOptions options = {},
                       const Around& settings = {});
  ~RunningDoor();
  RunningDoor(const RunningDoor&) = delete;
  RunningDoor& operator=(const RunningDoor&) = delete;

  std::uint16_t port() const { return port_; }
  // Closes the door and returns when every connection has ended.
  void close();
  // From here on the door is closed in the turn of the loop behind the next such moment.
  enum class Moment { kNone, kCredentialIsHad, kRequestIsOver };
  void close_behind(Moment moment);
  // What was told of the requests that are over; waits for so many.
  std::vector<Account> accounts(std::size_t count);
  std::size_t connections();
  // Has the door end what has waited for too long by then.
  void tick(AgentConnection::Clock::time_point now);
  // The same as if two hours had passed, again and again, until no connection is left.
  bool all_time_out();
  Spent spent();  // of "own"
  // An agent that asks this, and has not read what it was told before: nothing more can be written
  // to it.
  std::unique_ptr<http::testing::RawClient> deaf_agent(std::string_view asks);
  // From here on the loop looks between all that it does how much "own" has answered, and how many
  // requests are over; the most that came at once.
  void watch_turns();
  struct Most {
    std::uint64_t bytes = 0;
    std::uint64_t requests = 0;
  };
  Most most_in_a_turn();

  // From here on credentials can't be had, for this reason.
  void forget_credential(std::string reason);
  // The credential, and what takes its place when an upstream has refused it.
  void give_credential(std::string secret, std::string next);
  std::size_t refusals();
  // From here on there is no memory when a credential is refused.
  void fail_when_refused();

 private:
  void on_loop(const std::function<void()>& action);
  void look();
  bool closes_behind(Moment moment);

  asio::io_context loop_{1};
  const std::vector<Upstream> upstreams_;
  const std::vector<TunnelRule> tunnel_rules_;
  Tunnels tunnels_;
  std::map<std::string, UpstreamConnections> pools_;
  std::map<std::string, Meter> meters_;
  std::mutex mutex_;
  std::vector<Account> accounts_;
  std::string no_credential_;
  std::string secret_ = "real";
  std::string next_secret_;
  std::size_t refusals_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t over_ = 0;
  Most most_in_a_turn_;
  bool looks_ = false;
  bool fails_ = false;
  Moment closes_behind_ = Moment::kNone;
  std::unique_ptr<Door> door_;
  std::uint16_t port_ = 0;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::thread thread_;
};

class DoorTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kGet = "GET /own/v1/models HTTP/1.1\r\nHost: x\r\n\r\n";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

  std::string url() const { return "http://127.0.0.1:" + std::to_string(upstream_.port()); }
  std::vector<Upstream> own() const { return {own_upstream(url())}; }

  // The upstream's side of a request that the agent has sent, its head read.
  std::unique_ptr<http::testing::RawClient> ask(http::testing::RawClient& agent);
  // The same of a WebSocket, whose upgrade has been answered.
  std::unique_ptr<http::testing::RawClient> upgrade(http::testing::RawClient& agent);

  http::testing::RawServer upstream_;
};

}  // namespace relay::egress::testing
