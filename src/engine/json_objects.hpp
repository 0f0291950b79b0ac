// Cuts a stream into JSON objects, whether lines separate them or not.
//
// Pure. Holds at most one unfinished object of at most `max_bytes`. What lies between objects is
// dropped. An object is what its braces say; whether it is JSON is for its reader to find out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relay::engine {

class JsonObjects {
 public:
  explicit JsonObjects(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Appends the objects that end in `bytes` to `out`. False: one is over the limit; the stream is
  // of no use any more.
  [[nodiscard]] bool push(std::string_view bytes, std::vector<std::string>& out);

  std::size_t held_bytes() const { return held_.size(); }

 private:
  // True: the object ends with `c`.
  bool ends_with(char c);

  std::string held_;
  std::size_t max_bytes_;
  std::size_t depth_ = 0;
  bool in_text_ = false;
  bool escaped_ = false;
};

}  // namespace relay::engine
