#include "forwarder.hpp"

#include <cerrno>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// A connection that was refused stays until its client has ended it, too; of more than these the
// oldest is closed.
constexpr std::size_t kRefused = 32;
constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;
constexpr int kSocket = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

std::uint64_t tag_of(std::size_t index, bool of_client) {
  return Forwarder::kListenerTag + 1 + 2 * index + (of_client ? 0 : 1);
}

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::uint32_t wanted(const Flow& from_here, const Flow& to_here) {
  return (from_here.wants_to_read() ? EPOLLIN : 0U) | (to_here.wants_to_write() ? EPOLLOUT : 0U);
}

}  // namespace

Forwarder::Forwarder(Poller& poller, const Options& options)
    : poller_(poller),
      options_(options),
      answers_(options.max_connections),
      most_(static_cast<std::size_t>(options.max_connections)),
      connections_(most_ + kRefused) {}

bool Forwarder::listen() {
  void* const buffers = ::mmap(nullptr, most_ * kBuffers, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (buffers == MAP_FAILED) return false;
  buffers_ = static_cast<char*>(buffers);
  listener_ = ::socket(AF_INET, kSocket, 0);
  const int on = 1;
  const auto* const address = reinterpret_cast<const sockaddr*>(&options_.listen);
  if (listener_ < 0 || ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||  // inherited
      ::bind(listener_, address, sizeof options_.listen) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0) {
    return false;
  }
  return poller_.watch(listener_, kListenerTag, listener_watched_, EPOLLIN);
}

void Forwarder::resume() { poller_.watch(listener_, kListenerTag, listener_watched_, EPOLLIN); }

void Forwarder::attend(std::uint64_t tag, std::uint32_t events) {
  if (tag == kListenerTag) return accept();
  const std::size_t index = (tag - kListenerTag - 1) / 2;
  const bool of_client = tag == tag_of(index, true);
  Connection& connection = connections_[index];
  // An earlier event of the same turn may have closed it, and may have put another in its place,
  // which then finds nothing to read.
  if ((of_client ? connection.client : connection.relay) < 0) return;
  settle(index, move(connection, of_client, events));
}

void Forwarder::accept() {
  std::size_t index = 0;
  while (index < most_ && connections_[index].client >= 0) ++index;
  // First, because a connection that was accepted could not wait for a descriptor.
  const int relay = ::socket(AF_UNIX, kSocket, 0);
  const int client =
      relay < 0 ? -1 : ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0 && is_shortage(errno)) {
    poller_.watch(listener_, kListenerTag, listener_watched_, 0);
  }
  if (client >= 0 && index == most_) {
    refuse(client, answers_.too_many());
  } else if (client >= 0 && ::connect(relay, options_.socket.get(), options_.socket.size) != 0) {
    refuse(client, answers_.no_relay());
  } else if (client >= 0) {
    char* const buffer = buffers_ + index * kBuffers;
    connections_[index] = {client, relay, Flow(buffer), Flow(buffer + Flow::kBufferBytes), 0, 0};
    return settle(index, true);
  }
  if (relay >= 0) ::close(relay);
}

void Forwarder::refuse(int client, std::string_view answer) {
  const std::size_t index = most_ + next_refused_;
  next_refused_ = (next_refused_ + 1) % kRefused;
  Connection& connection = connections_[index];
  if (connection.client >= 0) close(index);
  connection.client = client;
  connection.up.throw_away();
  // Into an empty socket that is much larger.
  const bool sent = ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
  connection.down.end(client);
  settle(index, sent);
}

// False when it is over.
bool Forwarder::move(Connection& connection, bool of_client, std::uint32_t events) {
  const int here = of_client ? connection.client : connection.relay;
  const int there = of_client ? connection.relay : connection.client;
  Flow& in = of_client ? connection.up : connection.down;
  Flow& out = of_client ? connection.down : connection.up;
  Broken written = Broken::kNone;
  Broken read = Broken::kNone;
  if ((events & (EPOLLOUT | kBroken)) != 0 && out.wants_to_write()) written = out.write(here);
  if ((events & (EPOLLIN | kBroken)) != 0 && in.wants_to_read()) read = in.read(here, there);
  const bool here_broke = written == Broken::kTarget || read == Broken::kSource;
  const bool there_broke = read == Broken::kTarget;
  // The relay is to hear at once that nobody listens. But what it has said before it went, such as
  // a refusal in the middle of a request, is for the client.
  if (of_client ? here_broke : there_broke) return false;
  if (here_broke || there_broke) connection.up.throw_away();
  if (!of_client && read == Broken::kSource) connection.down.end(connection.client);
  return !connection.up.is_over() || !connection.down.is_over();
}

void Forwarder::settle(std::size_t index, bool lives) {
  Connection& one = connections_[index];
  lives = lives && poller_.watch(one.client, tag_of(index, true), one.client_watched,
                                 wanted(one.up, one.down));
  lives = lives && (one.relay < 0 || poller_.watch(one.relay, tag_of(index, false),
                                                   one.relay_watched, wanted(one.down, one.up)));
  if (!lives) close(index);
}

void Forwarder::close(std::size_t index) {
  Connection& connection = connections_[index];
  ::close(connection.client);
  if (connection.relay >= 0) ::close(connection.relay);
  connection = {};
  if (index < most_) ::madvise(buffers_ + index * kBuffers, kBuffers, MADV_DONTNEED);
}
