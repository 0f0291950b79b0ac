// Moves bytes one way between two non-blocking descriptors that it does not own.
// What the destination does not take at once is kept (at most one read's worth), and then the
// caller stops asking for reads until on_writable() says that all of it is gone.
#pragma once

#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

namespace relay::bench {

class Pump {
 public:
  enum class State { kFlowing, kBlocked, kEnded };

  Pump(int source, int destination) : source_(source), destination_(destination) {}

  /// One read into `scratch` and one write.
  State on_readable(std::span<char> scratch) {
    const ssize_t got = ::read(source_, scratch.data(), scratch.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR ? State::kFlowing : State::kEnded;
    if (got == 0) return State::kEnded;
    return deliver({scratch.data(), static_cast<std::size_t>(got)});
  }

  /// Writes what was kept.
  State on_writable() {
    const std::string kept = std::move(kept_);
    kept_.clear();
    return deliver(kept);
  }

  [[nodiscard]] bool blocked() const { return !kept_.empty(); }

  State deliver(std::string_view bytes) {
    const ssize_t written = ::write(destination_, bytes.data(), bytes.size());
    if (written < 0 && errno != EAGAIN && errno != EINTR) return State::kEnded;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    kept_ = bytes;
    return bytes.empty() ? State::kFlowing : State::kBlocked;
  }

 private:
  int source_;
  int destination_;
  std::string kept_;
};

}  // namespace relay::bench
