// The target of an agent's request: which upstream it names, and what it asks of it. Pure.
//
// What a rule allows must be what the upstream understands. So a path that servers read in
// different ways is not mended but refused: absolute URLs, dot segments, slashes and backslashes
// that are percent-encoded, empty segments, control characters. What passes goes on byte for byte.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace relay::egress {

struct RequestTarget {
  std::string_view upstream;  // "anthropic" of "/anthropic/v1/messages?beta=true"
  std::string path;           // "/v1/messages", percent-decoded: what rules are asked about
  std::string_view raw_path;  // the same as sent
  std::string_view query;     // "beta=true", as sent
};

// Views into `target`, which is as it stood in the request line. Fails with what is wrong with it.
Result<RequestTarget> parse_request_target(std::string_view target);

// `query` without the parameters that are withheld (withheld.hpp), and those called `own`.
std::string without_withheld(std::string_view query, std::string_view own);

// `target` without the parameters that keep an answer from saying what was used.
std::string without_hidden_usage(std::string_view target);

}  // namespace relay::egress
