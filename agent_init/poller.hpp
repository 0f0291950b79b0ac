// epoll, with what is waited for as a mask that may be empty.
#pragma once

#include <cstdint>

class Poller {
 public:
  // Ends the process when there is no epoll; called once, at the start.
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  int descriptor() const { return epoll_; }

  // Waits for `wanted` from now on; `watched` is what was waited for and becomes it. A descriptor
  // that nothing is wanted of is not watched at all, because epoll reports a broken one anyway, and
  // again and again. A descriptor that is closed needs no call. False when the kernel has no room.
  bool watch(int descriptor, std::uint64_t tag, std::uint32_t& watched, std::uint32_t wanted);

 private:
  int epoll_;
};
