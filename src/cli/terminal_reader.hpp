// Lines typed at the terminal, read on the loop.
#pragma once

#include "base/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>
#include <string>

namespace relay::cli {

class TerminalReader {
 public:
  // Nothing when there is nobody to ask: stderr, where the question appears, is no terminal, or
  // stdin is not one (with `stdin_is_used`, the controlling terminal is asked instead).
  // Opens the terminal anew, so that non-blocking reads do not change stdin's other users.
  static std::unique_ptr<TerminalReader> open(const asio::any_io_executor& executor,
                                              bool stdin_is_used);

  // One line without its newline. Nothing: end of input, interrupt(), cancelled, or over 4 KiB.
  Task<std::optional<std::string>> read_line();

  // Ends a read_line() that waits.
  void interrupt();

 private:
  explicit TerminalReader(asio::posix::stream_descriptor descriptor)
      : descriptor_(std::move(descriptor)) {}

  asio::posix::stream_descriptor descriptor_;
  std::string buffer_;
};

}  // namespace relay::cli
