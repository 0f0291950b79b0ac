// What goes to the relay and comes back as values: tokens and HTTP answers. Pure.
#pragma once

#include "cli/failure.hpp"
#include "http/message.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace relay::cli {

// The relay says with these that it wants another token.
constexpr bool refused(int status) { return status == 401 || status == 403; }

// A token as found in a file or variable, without surrounding white space.
Outcome<std::string> clean_token(std::string_view text, const std::string& source);

// The result of an HTTP answer that should hold a JSON-RPC response.
Outcome<boost::json::object> read_result(const http::Response& response, const std::string& url);

}  // namespace relay::cli
