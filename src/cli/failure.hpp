// How a command of the command line ends when it does not succeed.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <sysexits.h>
#include <utility>

namespace relay::cli {

// Exit codes of the binary; --help documents them.
enum class ExitCode {
  kOk = 0,
  kError = 1,           // the relay, the agent or a file said no
  kUsage = 2,           // the command line was wrong
  kCannotConnect = 3,   // no relay answers
  kUnauthorized = 4,    // the relay wants another token
  kCancelled = 5,       // the turn was cancelled
  kConfig = EX_CONFIG,  // the configuration is refused, until somebody mends it
};

// `text` is what the person reads on stderr, remedy included, without a final newline.
struct Failure {
  ExitCode code = ExitCode::kError;
  std::string text;
};

template <class T>
class [[nodiscard]] Outcome : public tl::expected<T, Failure> {
 public:
  using tl::expected<T, Failure>::expected;
  Outcome(Failure failure) : tl::expected<T, Failure>(tl::unexpect, std::move(failure)) {}
};

}  // namespace relay::cli
