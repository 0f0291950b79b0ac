#include "engine/json_objects.hpp"

#include <utility>

namespace relay::engine {

bool JsonObjects::ends_with(char c) {
  if (in_text_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_text_ = false;
    }
    return false;
  }
  if (c == '"') in_text_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  return depth_ == 0;
}

bool JsonObjects::push(std::string_view bytes, std::vector<std::string>& out) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (depth_ == 0) {
      if (bytes[i] != '{') continue;
      begin = i;
    }
    if (!ends_with(bytes[i])) continue;
    held_.append(bytes.substr(begin, i + 1 - begin));
    if (held_.size() > max_bytes_) return false;
    out.push_back(std::exchange(held_, {}));
  }
  if (depth_ > 0) held_.append(bytes.substr(begin));
  return held_.size() <= max_bytes_;
}

}  // namespace relay::engine
