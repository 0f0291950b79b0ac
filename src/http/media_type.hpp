// Media types as HTTP compares them: without regard to case, by weights in Accept (RFC
// 9110, 12.5.1). Pure.
#pragma once

#include "http/message.hpp"

#include <string_view>

namespace relay::http {

struct Preference {
  int weight = 0;      // thousandths; 0: not acceptable
  bool named = false;  // the type itself is in the list, not only a range that holds it
};

// What the Accept headers say of an answer of this type. Without one, everything is welcome.
Preference preference(const Headers& headers, std::string_view media_type);

// "Application/JSON; charset=utf-8" is "application/json"; "application/json-patch+json" is not.
bool is_media_type(std::string_view content_type, std::string_view media_type);

}  // namespace relay::http
