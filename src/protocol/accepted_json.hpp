// Messages that were accepted, read with Boost.JSON, whose own limit is 32 levels. Pure.
#pragma once

#include "protocol/frame.hpp"

#include <boost/json.hpp>

#include <string_view>

namespace relay {

// Of one, of a part of one, or of what the relay has put around one.
inline boost::json::value parse_accepted(std::string_view text,
                                         boost::system::error_code& failure) {
  constexpr std::size_t kAround = 8;
  boost::json::parse_options options;
  options.max_depth = kAccepted.max_depth + kAround;
  return boost::json::parse(text, failure, {}, options);
}

}  // namespace relay
