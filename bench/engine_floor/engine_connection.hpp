// One blocking HTTP/1.1 connection to a Docker Engine's Unix socket, kept alive between requests.
// Only what the benchmark meets. Whatever is unexpected ends the program with what the Engine said;
// an answer that does not come within a minute does, too.
#pragma once

#include "common/fd.hpp"

#include <string>
#include <string_view>

namespace relay::bench {

class EngineConnection {
 public:
  explicit EngineConnection(const std::string& socket_path);

  /// Sends a request. Ask with receive(), or with receive_head() and receive_body() when the answer
  /// begins long before it ends.
  void send(std::string_view method, std::string_view target, std::string_view json = {},
            std::string_view headers = {});
  /// `status` is the only one that is right.
  void receive_head(int status);
  std::string receive_body();
  std::string receive(int status) {
    receive_head(status);
    return receive_body();
  }

  /// After status 101: bytes in both directions. read_some() is empty at the end of the stream.
  void write(std::string_view bytes);
  std::string read_some();

 private:
  void fill();
  void need(std::size_t size);
  std::string take(std::size_t size);
  std::string take_line();

  Fd socket_;
  std::string received_;  // not yet taken
  std::string request_;   // for texts
  bool chunked_ = false;
  std::size_t length_ = 0;
};

}  // namespace relay::bench
