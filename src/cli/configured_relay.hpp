// Where a relay is that runs with a configuration on this machine, or in this container.
#pragma once

#include "cli/failure.hpp"
#include "config/load.hpp"
#include "http/client.hpp"

#include <string>

namespace relay::cli {

enum class Port { kHttp, kManagement };

// Pure. "All addresses" becomes the loopback. With TLS the certificate of the configuration is
// pinned: its names need not have that of this machine. Fails when the port is any free one.
Outcome<http::Endpoint> endpoint_of(const config::ServerConfig& server, Port port);

// Of what `file` says; problems of it that have nothing to do with that are none here, for a relay
// that was told of a file that is wrong goes on as before.
Outcome<http::Endpoint> configured_endpoint(const std::string& file, Port port,
                                            const config::Environment& environment);

// The same for who has something to tell it: fails where the certificate can't be read.
Outcome<http::Endpoint> provable_endpoint(const std::string& file, Port port,
                                          const config::Environment& environment);

}  // namespace relay::cli
