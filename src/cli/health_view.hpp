// What a relay says of itself (GET /api/overview) as one screen for people. Pure; members that are
// absent show as "-".
#pragma once

#include <boost/json/object.hpp>

#include <string>

namespace relay::cli {

// Whether it says that sessions can be made.
bool is_ready(const boost::json::object& overview);

std::string health_screen(const boost::json::object& overview, const std::string& url);

}  // namespace relay::cli
