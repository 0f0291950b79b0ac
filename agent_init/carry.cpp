#include "carry.hpp"

#include "carrier.hpp"
#include "command.hpp"
#include "descriptors.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr int kPauseMilliseconds = 100;
constexpr int kAttempts = 100;
constexpr timespec kBetweenAttempts = {0, 10'000'000};

// Whoever listens there is of this container: a carrier whose relay is gone and that has not heard
// of it, or a process that should not be there.
void end_holder(const SocketAddress& socket) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ucred holder = {};
  socklen_t size = sizeof holder;
  const bool is_known = descriptor >= 0 && ::connect(descriptor, socket.get(), socket.size) == 0 &&
                        ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &holder, &size) == 0;
  if (is_known && holder.pid > 1 && holder.pid != ::getpid()) ::kill(holder.pid, SIGKILL);
  ::close(descriptor);
}

// A socket that listens, or -1 with errno.
int claim(const SocketAddress& socket) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  for (int attempt = 0; ::bind(descriptor, socket.get(), socket.size) != 0; ++attempt) {
    if (errno != EADDRINUSE || attempt == kAttempts) return -1;
    end_holder(socket);
    ::nanosleep(&kBetweenAttempts, nullptr);
  }
  return ::listen(descriptor, SOMAXCONN) == 0 ? descriptor : -1;
}

}  // namespace

int carry(const CarryOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  allow_many_descriptors();
  const int listener = claim(options.socket);
  if (listener < 0) {
    std::perror("acp-agent-init: cannot listen at the socket of --carry");
    return kOwnFailure;
  }
  Poller poller;
  Carrier carrier(poller, listener, options.max_connections);
  if (!make_non_blocking(STDIN_FILENO) || !make_non_blocking(STDOUT_FILENO) ||
      !carrier.start(STDIN_FILENO, STDOUT_FILENO)) {
    std::perror("acp-agent-init: --carry needs the standard streams to be pipes or sockets");
    return kOwnFailure;
  }
  for (bool goes_on = true; goes_on;) {
    std::array<epoll_event, 64> events;
    const int timeout = carrier.is_paused() ? kPauseMilliseconds : -1;
    const int count = ::epoll_wait(poller.descriptor(), events.data(), events.size(), timeout);
    if (carrier.is_paused()) carrier.resume();
    for (int at = 0; at < count && goes_on; ++at) {
      const epoll_event& event = events[static_cast<std::size_t>(at)];
      goes_on = carrier.attend(event.data.u64, event.events);
    }
    goes_on = goes_on && carrier.flush();
  }
  return 0;
}
