#include "poller.hpp"

#include "command.hpp"

#include <cstdio>
#include <cstdlib>
#include <sys/epoll.h>

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ >= 0) return;
  std::perror("acp-agent-init: epoll_create1");
  std::exit(kOwnFailure);
}

bool Poller::watch(int descriptor, std::uint64_t tag, std::uint32_t& watched,
                   std::uint32_t wanted) {
  if (watched == wanted) return true;
  const int change = wanted == 0 ? EPOLL_CTL_DEL : watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event = {};
  event.events = wanted;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_, change, descriptor, &event) != 0) return false;
  watched = wanted;
  return true;
}
