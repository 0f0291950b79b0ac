// Connections to the hosts that agents reach by CONNECT. All of them together are bounded.
#pragma once

#include "base/blocking_calls.hpp"
#include "egress/tunnel_rules.hpp"
#include "egress/upstream_connections.hpp"

#include <functional>
#include <memory>
#include <span>

namespace relay::egress {

class Tunnels {
 public:
  // What a name may stand for on a machine with these addresses (is_elsewhere).
  using Admits = std::function<bool(const boost::asio::ip::address& address,
                                    std::span<const boost::asio::ip::address> own)>;

  Tunnels(asio::any_io_executor executor, const UpstreamConnections::Limits& limits,
          Admits admits = is_elsewhere);

  // Errors are those of http::connect_to_any, and by errno: ENXIO or ETIMEDOUT, the name is not
  // found; EUSERS, there are as many as may be, or as this session may have; EACCES, the name
  // stands for no address that is admitted.
  Task<Result<UpstreamConnections::Connection>> connect(const TunnelPassage& passage,
                                                        Holder holder);

  std::size_t open() const { return places_.taken(); }

 private:
  asio::any_io_executor executor_;
  const UpstreamConnections::Limits limits_;
  const Admits admits_;
  BlockingCalls names_;
  Places places_;
};

}  // namespace relay::egress
