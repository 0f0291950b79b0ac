// A level-triggered epoll set whose entries carry a pointer of the caller.
// The caller keeps what the pointer points to alive until wait()'s events are handled.
#pragma once

#include "common/fd.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

namespace relay::bench {

class Poller {
 public:
  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.valid()) fail_errno("epoll_create1");
  }

  void add(int fd, std::uint32_t events, void* tag) { control(EPOLL_CTL_ADD, fd, events, tag); }
  void modify(int fd, std::uint32_t events, void* tag) { control(EPOLL_CTL_MOD, fd, events, tag); }
  void remove(int fd) { control(EPOLL_CTL_DEL, fd, 0, nullptr); }

  /// Waits for the next events; `timeout_ms` -1 means for ever. Empty after a timeout or a signal.
  std::span<const epoll_event> wait(int timeout_ms = -1) {
    const int ready =
        ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
    if (ready < 0 && errno != EINTR) fail_errno("epoll_wait");
    return {events_.data(), ready > 0 ? static_cast<std::size_t>(ready) : 0};
  }

 private:
  void control(int operation, int fd, std::uint32_t events, void* tag) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = tag;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) fail_errno("epoll_ctl");
  }

  Fd epoll_;
  std::array<epoll_event, 128> events_;
};

}  // namespace relay::bench
