// In which pieces an agent's input is written, so that a stream that is cut off tells by the piece
// that failed which messages the agent may have.
//
// Pure. The stream that follows one that was cut off begins with a newline: what a message lacks is
// then a line that is no message, or its newline alone, and in that case the agent has the message.
#pragma once

#include <cstddef>
#include <string_view>

namespace relay {

// A Unix socket takes so much as a whole or not at all.
inline constexpr std::size_t kTakenWhole = 16u << 10;

// The next piece of `lines`, which are not empty and end with a newline: whole messages, as many as
// are taken whole; or one that is larger, without what comes behind its last byte that counts. If
// it can't be written, none of its messages has arrived, and it is to be written again. Over TCP a
// part of the first kind may have arrived all the same.
std::string_view next_piece(std::string_view lines);

}  // namespace relay
