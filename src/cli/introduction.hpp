// What an agent says of itself in the result of `initialize`, for people. Pure.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>

namespace relay::cli {

// "protocol version 1, agent NAME VERSION"; each part of at most `most` characters.
std::string introduction(const boost::json::object& result, std::size_t most);

}  // namespace relay::cli
