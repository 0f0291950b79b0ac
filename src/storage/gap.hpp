// Ranges of sequence numbers that the log does not hold, as values.
#pragma once

#include "storage/message_log.hpp"

#include <vector>

namespace relay::storage {

// Adds a gap to ascending ones; those that touch or overlap become one.
void add_gap(std::vector<Gap>& gaps, Gap added);

// The parts of ascending gaps that lie in [from, to].
std::vector<Gap> clip_gaps(const std::vector<Gap>& gaps, Sequence from, Sequence to);

}  // namespace relay::storage
