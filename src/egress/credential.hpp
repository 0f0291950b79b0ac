// The credential of an upstream: a value, or what a file says or a program prints, read again from
// time to time.
//
// Files are read and programs run on a thread of their own, once for all that ask meanwhile, and
// not again at once because that failed or because an upstream does not take the secret: agents
// ask as often as they like. A secret stands until there is another one. It is in no error.
#pragma once

#include "base/async.hpp"
#include "base/blocking_calls.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::egress {

struct CredentialSource {
  std::string value;                           // the secret itself, or empty
  std::string file;                            // that has it, and may have a line's end behind it
  std::vector<std::string> command;            // a program that prints it, and its arguments
  std::chrono::milliseconds refresh{300'000};  // a file or a program is read again after this
  // The least time from one failure to the next attempt, whatever asks for that, and from one
  // refusal to the next.
  std::chrono::milliseconds retry{5'000};
  // How long others wait for the successor of one that was refused, before they are given that.
  std::chrono::milliseconds patience{2'000};
};

class Credential {
 public:
  // Told of every secret that is read, before anybody has it.
  using Keep = std::function<void(const std::string& secret)>;

  // `keep` may be empty.
  Credential(const asio::any_io_executor& executor, CredentialSource source, Keep keep = {},
             Logger log = Logger::silent())
      : source_(std::move(source)),
        keep_(std::move(keep)),
        log_(std::move(log)),
        calls_(executor, 1, kLongest + kForAThread),
        done_(executor),
        tasks_(executor, ignore_failure) {}

  // While it is read again because that failed, the last one is the answer; while because it was
  // refused, that is so after a moment, but for the one to whom it was `refused`.
  Task<Result<std::string>> get(std::string refused = {});
  // The upstream does not take this secret: it is read again, unless there is another one already.
  void refused(std::string_view secret);

  // Ends what is under way; to be called before it is destroyed.
  Task<void> close();

  // That a file or a program may take.
  static constexpr std::chrono::seconds kLongest{30};

 private:
  using Clock = std::chrono::steady_clock;

  // A program that takes too long is to say so itself.
  static constexpr std::chrono::seconds kForAThread{1};

  bool is_due() const;
  bool stands(std::string_view refused) const {
    return read_ && *read_ != refused && (has_failed_ || is_late_);
  }
  void read_when_due();
  Task<void> read();
  Task<void> note_late();
  void take(Result<std::string> read);

  const CredentialSource source_;
  const Keep keep_;
  const Logger log_;
  BlockingCalls calls_;
  bool reading_ = false;
  std::uint64_t began_ = 0;  // counts the readings
  Wakeup done_;              // with reading
  Result<std::string> read_ =
      make_error(ErrorType::kInternalError, "the credential is not there yet");
  bool has_failed_ = true;  // the last attempt; what was read before it may be kept
  std::optional<Clock::time_point> tried_at_;
  bool is_refused_ = false;
  bool is_late_ = false;  // its successor
  std::optional<Clock::time_point> refused_at_;
  TaskScope tasks_;  // who asks may leave, and others wait for the same
};

// What a file says that holds a secret. Errors name the path, and what is wrong: it can't be read,
// or is none (clean_secret).
Result<std::string> read_secret_file(const std::string& path);

}  // namespace relay::egress
