// By which addresses this machine is reached, apart from loopback.
#pragma once

#include "base/result.hpp"

#include <boost/asio/ip/address.hpp>

#include <span>
#include <vector>

namespace relay::egress {

// Those of its interfaces that are of IPv4, and those from which it would send to each of
// `targets`, where there is a way: the kernel sends from a target that is the machine's own. Sends
// nothing. Some system calls, which may wait for others that change interfaces. Errors have an
// "errno".
Result<std::vector<boost::asio::ip::address>> own_addresses(
    std::span<const boost::asio::ip::address> targets);

}  // namespace relay::egress
