#include "floor/shared_forwarder.hpp"

#include "common/child.hpp"
#include "common/poller.hpp"
#include "floor/pump.hpp"

#include <algorithm>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

struct Client {
  Client(Fd fd, int agent_input)
      : socket(std::move(fd)), up(socket.get(), agent_input), down(-1, socket.get()) {}

  Fd socket;
  Pump up;    // the agent's stdin is blocking: requests are small and the agent always reads
  Pump down;  // only delivers: the source is read once for all
  bool ended = false;
};

class SharedForwarder {
 public:
  SharedForwarder(Fd listener, const std::string& agent)
      : listener_(std::move(listener)), child_(spawn_child(agent)) {
    set_nonblocking(child_.output.get());
    poller_.add(listener_.get(), EPOLLIN, &listener_);
    poller_.add(child_.output.get(), EPOLLIN, &child_);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait()) {
        if (event.data.ptr == &listener_) {
          accept_clients();
        } else if (event.data.ptr == &child_) {
          broadcast();
        } else {
          handle(*static_cast<Client*>(event.data.ptr), event.events);
        }
      }
      std::erase_if(clients_, [this](const auto& client) {
        if (client->ended) poller_.remove(client->socket.get());
        return client->ended;
      });
      if (paused_ && std::none_of(clients_.begin(), clients_.end(),
                                  [](const auto& client) { return client->down.blocked(); })) {
        paused_ = false;
        poller_.add(child_.output.get(), EPOLLIN, &child_);
      }
    }
  }

 private:
  void accept_clients() {
    for (;;) {
      Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.valid()) return;
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      clients_.push_back(std::make_unique<Client>(std::move(socket), child_.input.get()));
      poller_.add(clients_.back()->socket.get(), EPOLLIN, clients_.back().get());
    }
  }

  void broadcast() {
    const ssize_t got = ::read(child_.output.get(), scratch_.data(), scratch_.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) fail("the agent has ended");
    for (const auto& client : clients_) {
      const auto state = client->down.deliver({scratch_.data(), static_cast<std::size_t>(got)});
      if (state == Pump::State::kEnded) client->ended = true;
      if (state != Pump::State::kBlocked) continue;
      poller_.modify(client->socket.get(), EPOLLIN | EPOLLOUT, client.get());
      if (!paused_) poller_.remove(child_.output.get());
      paused_ = true;
    }
  }

  void handle(Client& client, std::uint32_t events) {
    if (client.ended) return;
    if ((events & EPOLLOUT) != 0) {
      const auto state = client.down.on_writable();
      if (state == Pump::State::kEnded) client.ended = true;
      if (state == Pump::State::kFlowing) poller_.modify(client.socket.get(), EPOLLIN, &client);
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 &&
        client.up.on_readable(scratch_) == Pump::State::kEnded) {
      client.ended = true;
    }
  }

  Poller poller_;
  Fd listener_;
  Child child_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<char> scratch_ = std::vector<char>(kReadBytes);
  bool paused_ = false;
};

}  // namespace

void forward_shared(Fd listener, const std::string& agent) {
  SharedForwarder(std::move(listener), agent).run();
}

}  // namespace relay::bench
