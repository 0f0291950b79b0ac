// How the benchmark's programs end when they cannot measure: one line on stderr, exit code 1.
// A benchmark that goes on after an error would print numbers that mean nothing.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace relay::bench {

[[noreturn]] inline void fail(const std::string& cause) {
  std::fprintf(stderr, "bench: %s\n", cause.c_str());
  std::exit(1);
}

/// As fail(), with the text of errno.
[[noreturn]] inline void fail_errno(const std::string& cause) {
  fail(cause + ": " + std::strerror(errno));
}

}  // namespace relay::bench
