// TCP on 127.0.0.1. What can't be had ends the program.
#pragma once

#include "common/fd.hpp"

#include <cstdint>

namespace relay::bench {

/// A non-blocking listening socket.
Fd listen_on(std::uint16_t port);

/// Connected, blocking, and without delay. `receive_bytes` fixes the receive buffer; 0: the kernel
/// lets it grow.
Fd connect_to(std::uint16_t port, int receive_bytes = 0);

/// Small writes go out at once.
void set_no_delay(int fd);

}  // namespace relay::bench
