// For tests: a door on a loop of its own thread, with what a broker would give it.
#pragma once

#include "egress/door.hpp"

#include <boost/asio/io_context.hpp>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace relay::egress::testing {

// An upstream "own" at `url` with the credential "real" as a bearer token.
Upstream own_upstream(const std::string& url);

class RunningDoor {
 public:
  explicit RunningDoor(std::vector<Upstream> upstreams, DoorOptions options = {},
                       std::chrono::milliseconds silence = std::chrono::seconds(20));
  ~RunningDoor();
  RunningDoor(const RunningDoor&) = delete;
  RunningDoor& operator=(const RunningDoor&) = delete;

  std::uint16_t port() const { return port_; }
  // Closes the door and returns when every connection has ended.
  void close();
  // What was told of the requests that are over; waits for so many.
  std::vector<Account> accounts(std::size_t count);
  std::size_t connections();

  // From here on credentials can't be had, for this reason.
  void forget_credential(std::string reason);
  // From here on no request is within the budget.
  void spend_budget();

 private:
  void on_loop(const std::function<void()>& action);

  asio::io_context loop_{1};
  const std::vector<Upstream> upstreams_;
  std::map<std::string, UpstreamConnections> pools_;
  std::mutex mutex_;
  std::vector<Account> accounts_;
  std::string no_credential_;
  bool spent_ = false;
  std::unique_ptr<Door> door_;
  std::uint16_t port_ = 0;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::thread thread_;
};

}  // namespace relay::egress::testing
