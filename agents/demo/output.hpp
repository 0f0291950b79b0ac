// Messages on their way to stdout: collected, and written in as few system calls as possible.
//
// Writes block: a client that does not read stops the agent. A client that is gone ends it.
#pragma once

#include <string>
#include <string_view>

namespace demo {

class Output {
 public:
  // The end of the buffer, for appending whole lines.
  std::string& buffer() { return buffer_; }

  void line(std::string_view text) {
    buffer_ += text;
    buffer_ += '\n';
  }

  bool wants_flush() const { return buffer_.size() >= kBatch; }

  // Writes everything. Ends the process when nobody reads any more.
  void flush();

 private:
  static constexpr std::size_t kBatch = 64 * 1024;

  std::string buffer_;
};

// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become question marks.
void append_json_string(std::string& out, std::string_view text);

}  // namespace demo
