// Writes small JSON texts: strings, and objects put together from ready parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD: agents' stderr is free
// text.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);
// ["a","b"]
std::string json_array(const std::vector<std::string>& texts);

// {"a":1,"b":"x"}: members in the order they are added.
class JsonObject {
 public:
  JsonObject& text(std::string_view key, std::string_view value);  // a JSON string
  JsonObject& raw(std::string_view key, std::string_view json);    // a ready JSON text
  JsonObject& number(std::string_view key, std::int64_t value);
  JsonObject& boolean(std::string_view key, bool value);
  std::string take() &&;
  std::string take() &;

 private:
  void key(std::string_view name);
  std::string out_ = "{";
};

}  // namespace relay
