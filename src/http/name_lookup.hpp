// The addresses of a host by its name.
#pragma once

#include "base/result.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace relay::http {

using Addresses = std::vector<boost::asio::generic::stream_protocol::endpoint>;

// Blocks as long as the system's resolver likes. Errors say what that says.
Result<Addresses> look_up(const std::string& host, std::uint16_t port);

}  // namespace relay::http
