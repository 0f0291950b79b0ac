// What to replace in a text to hide parts of it, so that JSON stays JSON.
#pragma once

#include "protocol/json_spelling.hpp"

#include <string_view>
#include <vector>

namespace relay {

struct HiddenPart {
  ByteRange range;
  bool is_value = false;  // a whole value, or a key: a string is to stand in its place
};

// Within a string of a JSON text a range is replaced as it is; else so is the smallest value that
// holds it: a number that has it as its digits, an object that it spells. The number that is the id
// of a message stays as it is. In a text that is no JSON ranges are replaced as they are, too;
// those that overlap are one. Ascending; parts may lie in a value before them.
std::vector<HiddenPart> hidden_parts(std::string_view text, std::vector<ByteRange> ranges);

}  // namespace relay
