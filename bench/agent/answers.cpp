#include "agent/answers.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits.h>
#include <unistd.h>
#include <utility>

namespace relay::bench {

void Answers::add_in_place(std::string_view bytes) {
  parts_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
}

void Answers::add(std::string bytes) {
  kept_.push_back(std::move(bytes));
  add_in_place(kept_.back());
}

void Answers::flush() {
  std::size_t first = 0;
  while (first < parts_.size()) {
    const std::size_t count = std::min<std::size_t>(parts_.size() - first, IOV_MAX);
    const ssize_t written = ::writev(STDOUT_FILENO, &parts_[first], static_cast<int>(count));
    if (written < 0) {
      if (errno == EINTR) continue;
      std::exit(0);
    }
    auto left = static_cast<std::size_t>(written);
    while (first < parts_.size() && left >= parts_[first].iov_len) left -= parts_[first++].iov_len;
    if (left > 0) {
      parts_[first].iov_base = static_cast<char*>(parts_[first].iov_base) + left;
      parts_[first].iov_len -= left;
    }
  }
  parts_.clear();
  kept_.clear();
}

void write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) std::exit(0);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace relay::bench
