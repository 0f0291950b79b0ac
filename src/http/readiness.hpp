// The wait for a socket to become readable, for one who asks at a time: a coroutine, or a function.
//
// The socket's own wait goes on when who asked has lost interest, and serves whoever asks next. A
// server that looks after each request whether its peer is still there, and then waits for the
// next one, makes one system call for both and gives up nothing.
#pragma once

#include "base/any_handler.hpp"
#include "http/transport.hpp"

#include <functional>
#include <memory>

namespace relay::http {

class Readiness {
 public:
  // `transport` outlives it.
  explicit Readiness(Transport& transport) : transport_(transport) {}
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness() { forget(); }

  // Until it is as `state` says, or broken. False: Transport::cancel(), or the coroutine was
  // cancelled.
  Task<bool> wait(IoState state);
  // Calls `act` when it is readable or broken, in a turn of the loop; with false after
  // Transport::cancel(). Unless forget() comes before.
  void call(std::function<void(bool readable)> act);
  void forget();

 private:
  struct Initiation;
  // Owned by the socket's wait: with the loop both go, and with them the coroutine.
  struct Asked {
    AnyHandler<bool> who;
  };

  Asked& arm();
  void cancel();

  Transport& transport_;
  std::weak_ptr<Asked> asked_;
};

}  // namespace relay::http
