// acp-agent-init --carry: the relay's end of the socket, inside the container.
#pragma once

#include "options.hpp"

// Carries until the standard input ends, which is 0. Otherwise says on stderr why it can't.
int carry(const CarryOptions& options);
