// Looks into valid JSON texts (they came from a Frame) without changing how they are spelled.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// The position after the string that begins at `at`; behind that after the text's end when the text
// ends in it.
std::size_t after_string(std::string_view text, std::size_t at);

// The elements of an array as the bytes they are written in. Empty when it is not an array.
std::vector<std::string_view> array_elements(std::string_view array);

// The value of a member of an object, by the key as it is spelled.
std::optional<std::string_view> object_member(std::string_view object, std::string_view key);

// All of them, in their order.
struct JsonMember {
  std::string_view key;
  std::string_view value;
};
std::vector<JsonMember> object_members(std::string_view object);

// The object with this member: in the place of the one that has the key, otherwise put first. A
// text that is no object becomes an object with this member alone.
std::string with_member(std::string_view object, std::string_view key, std::string_view json);

// The object with all members of `update`, which is an object: each in the place of the one that
// has its key, the others first, in their order. Of two with one key the later one counts.
std::string with_members(std::string_view object, std::string_view update);

// The object without the member; as it is when there is none, or when it is no object.
std::string without_member(std::string_view object, std::string_view key);

// The object with `members` ("a":1,"b":2 - not empty) added to its `_meta`, which is made when
// missing. A text that is no object becomes {"_meta":{...}}.
std::string with_meta(std::string_view object, std::string_view members);

}  // namespace relay
