// What an agent hears when its connection can't be carried to the relay. Pure.
#pragma once

#include <cstddef>
#include <string_view>

// Whole HTTP/1.1 responses with a JSON body in the shape that model providers' errors have, so that
// agents show its message.
class Answers {
 public:
  explicit Answers(int max_connections);

  std::string_view too_many() const { return too_many_; }
  std::string_view no_relay() const { return no_relay_; }

 private:
  static constexpr std::size_t kRoom = 640;
  char too_many_text_[kRoom];
  char no_relay_text_[kRoom];
  std::string_view too_many_;
  std::string_view no_relay_;
};
