// Whether an agent may reach a host by CONNECT (RFC 9110, 9.3.6). Pure.
#pragma once

#include "egress/access.hpp"
#include "egress/reach.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace relay::egress {

// "*.npmjs.org:443"
std::string to_string(const TunnelRule& rule);

struct TunnelPassage {
  std::string host;
  std::uint16_t port = 0;
  const TunnelRule* rule = nullptr;
};

// `target` as it stood in the request line: "host:port". The passage points into `rules`.
std::variant<TunnelPassage, Denial> judge_tunnel(std::string_view target,
                                                 std::span<const TunnelRule> rules);

// Whether a host's name may stand for the address. It may not stand for this machine, whose
// addresses are `own` and loopback, for its link, for its cloud's metadata service, or for many:
// who answers for the name would choose what they let the relay's own machine do.
bool is_elsewhere(const boost::asio::ip::address& address,
                  std::span<const boost::asio::ip::address> own);

}  // namespace relay::egress
