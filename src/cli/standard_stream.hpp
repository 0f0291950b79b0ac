// stdin and stdout on the loop.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <string>
#include <string_view>

namespace relay::cli {

class StandardStream {
 public:
  // `fd` is STDIN_FILENO or STDOUT_FILENO and stays open. Pipes and terminals are opened anew, so
  // that non-blocking use does not change them for others who have them open.
  static Result<StandardStream> open(const asio::any_io_executor& executor, int fd);

  // What has come; empty: the end.
  Task<std::string> read();
  // False: nobody reads any more.
  Task<bool> write(std::string_view bytes);

 private:
  explicit StandardStream(asio::posix::stream_descriptor descriptor)
      : descriptor_(std::move(descriptor)) {}

  asio::posix::stream_descriptor descriptor_;
};

}  // namespace relay::cli
