// Draws a text over the one before on a terminal. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relay::cli {

struct TerminalSize {
  std::size_t columns = 0;  // 0: not known, nothing is cut
  std::size_t rows = 0;
};

// `text` has no control characters but line feeds. Lines that are too long are cut; when there are
// too many, the last row says how many are missing.
std::string redraw(std::string_view text, TerminalSize size);

}  // namespace relay::cli
