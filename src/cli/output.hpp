// Writes to one of the standard streams and notices when nobody reads it any more.
#pragma once

#include <string_view>

namespace relay::cli {

// Does not own the descriptor. Writes at once: what the agent says appears as it comes.
class Output {
 public:
  explicit Output(int fd);

  // False from the first failed write on (closed pipe, full disk); further writes do nothing.
  bool write(std::string_view text);

  bool broken() const { return broken_; }
  bool is_terminal() const { return is_terminal_; }

 private:
  int fd_;
  bool is_terminal_;
  bool broken_ = false;
};

}  // namespace relay::cli
