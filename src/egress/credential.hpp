// The credential of an upstream: a value, or what a file says, read again from time to time.
//
// A file is read on a thread of its own. The secret never stands in an error.
#pragma once

#include "base/async.hpp"
#include "base/blocking_calls.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace relay::egress {

struct CredentialSource {
  std::string value;                           // the secret itself, or empty
  std::string file;                            // that has it, and may have a line's end behind it
  std::chrono::milliseconds refresh{300'000};  // a file is read again after this
};

class Credential {
 public:
  Credential(const asio::any_io_executor& executor, CredentialSource source)
      : source_(std::move(source)), calls_(executor, 1) {}

  Task<Result<std::string>> get();
  // The upstream does not take it: the next get() reads the file again.
  void refused() { read_at_.reset(); }

 private:
  using Clock = std::chrono::steady_clock;

  const CredentialSource source_;
  BlockingCalls calls_;
  std::string read_;
  std::optional<Clock::time_point> read_at_;
};

// What a file says that holds a secret: without spaces and line ends around it. Errors name the
// path, and what is wrong: it can't be read, is empty, larger than 64 KiB, or has what can't stand
// in a header.
Result<std::string> read_secret_file(const std::string& path);

}  // namespace relay::egress
