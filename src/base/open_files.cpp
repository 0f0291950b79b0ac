#include "base/open_files.hpp"

#include <optional>

namespace relay {
namespace {

// One for the process, as the limit itself is.
std::optional<rlimit> before_raise;

}  // namespace

void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && !before_raise) before_raise = before;
}

rlimit open_files_at_start() {
  if (before_raise) return *before_raise;
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  return now;
}

}  // namespace relay
