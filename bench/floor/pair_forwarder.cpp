#include "floor/pair_forwarder.hpp"

#include "common/child.hpp"
#include "common/poller.hpp"
#include "floor/pump.hpp"

#include <algorithm>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

class Pair;

enum class Role { kSocket, kAgentInput, kAgentOutput };

/// What an epoll entry points to.
struct Endpoint {
  Pair* pair;
  Role role;
};

class Pair {
 public:
  Pair(Fd socket, Child child, Poller& poller)
      : socket_(std::move(socket)),
        child_(std::move(child)),
        poller_(poller),
        up_(socket_.get(), child_.input.get()),
        down_(child_.output.get(), socket_.get()) {
    set_nonblocking(child_.input.get());
    set_nonblocking(child_.output.get());
    poller_.add(socket_.get(), EPOLLIN, &socket_end_);
    poller_.add(child_.output.get(), EPOLLIN, &output_end_);
  }

  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// Leaves the poller before the descriptors are closed: an agent that is just being started may
  /// hold copies of them until its exec is complete, and then closing alone leaves the entries.
  ~Pair() {
    poller_.remove(socket_.get());
    if (up_was_blocked_) poller_.remove(child_.input.get());
    if (!down_was_blocked_) poller_.remove(child_.output.get());
  }

  /// False when either side has ended and the pair is to be dropped.
  bool handle(Role role, std::uint32_t events, std::span<char> scratch) {
    bool alive = true;
    if (role == Role::kAgentInput) alive = up_.on_writable() != Pump::State::kEnded;
    if (role == Role::kAgentOutput) alive = down_.on_readable(scratch) != Pump::State::kEnded;
    if (role == Role::kSocket) {
      if ((events & EPOLLOUT) != 0) alive = down_.on_writable() != Pump::State::kEnded;
      if (alive && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !up_.blocked()) {
        alive = up_.on_readable(scratch) != Pump::State::kEnded;
      }
    }
    if (alive) watch();
    return alive;
  }

 private:
  /// Asks epoll for what the pumps can use; costs nothing while neither is blocked.
  void watch() {
    if (up_.blocked() != up_was_blocked_) {
      up_was_blocked_ = up_.blocked();
      if (up_was_blocked_) {
        poller_.add(child_.input.get(), EPOLLOUT, &input_end_);
      } else {
        poller_.remove(child_.input.get());
      }
      watch_socket();
    }
    if (down_.blocked() != down_was_blocked_) {
      down_was_blocked_ = down_.blocked();
      if (down_was_blocked_) {
        poller_.remove(child_.output.get());
      } else {
        poller_.add(child_.output.get(), EPOLLIN, &output_end_);
      }
      watch_socket();
    }
  }

  void watch_socket() {
    std::uint32_t events = 0;
    if (!up_was_blocked_) events |= EPOLLIN;
    if (down_was_blocked_) events |= EPOLLOUT;
    poller_.modify(socket_.get(), events, &socket_end_);
  }

  Fd socket_;
  Child child_;
  Poller& poller_;
  Pump up_;
  Pump down_;
  bool up_was_blocked_ = false;
  bool down_was_blocked_ = false;
  Endpoint socket_end_{this, Role::kSocket};
  Endpoint input_end_{this, Role::kAgentInput};
  Endpoint output_end_{this, Role::kAgentOutput};
};

void accept_pairs(int listener, const std::string& agent, Poller& poller,
                  std::vector<std::unique_ptr<Pair>>& pairs) {
  for (;;) {
    Fd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pairs.push_back(std::make_unique<Pair>(std::move(socket), spawn_child(agent), poller));
  }
}

}  // namespace

void forward_pairs(Fd listener, const std::string& agent) {
  Poller poller;
  poller.add(listener.get(), EPOLLIN, nullptr);
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<char> scratch(kReadBytes);
  std::vector<Pair*> ended;
  for (;;) {
    for (const epoll_event& event : poller.wait()) {
      if (event.data.ptr == nullptr) {
        accept_pairs(listener.get(), agent, poller, pairs);
        continue;
      }
      const auto& endpoint = *static_cast<const Endpoint*>(event.data.ptr);
      if (std::find(ended.begin(), ended.end(), endpoint.pair) != ended.end()) continue;
      if (!endpoint.pair->handle(endpoint.role, event.events, scratch)) {
        ended.push_back(endpoint.pair);
      }
    }
    // Dropped only here, because later events of the same batch may point to the pair.
    for (const Pair* pair : ended) {
      std::erase_if(pairs, [pair](const auto& owned) { return owned.get() == pair; });
    }
    ended.clear();
  }
}

}  // namespace relay::bench
