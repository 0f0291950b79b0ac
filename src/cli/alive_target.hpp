// Where a relay of this configuration can be asked whether it lives, from the machine or container
// that it runs in. Pure.
#pragma once

#include "cli/failure.hpp"
#include "config/config.hpp"
#include "http/client.hpp"

namespace relay::cli {

// The management port. "All addresses" becomes the loopback, and a certificate is not checked: it
// has another name, and whoever is asked is this machine. Fails when the port is any free one.
Outcome<http::Endpoint> alive_target(const config::ServerConfig& server);

}  // namespace relay::cli
