// Text for terminals: what agents and relays send must not steer the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

// Control characters (escape sequences, C1, carriage returns) become "?"; newline and tab stay.
std::string visible(std::string_view text);

// The same on one line, at most `max_characters` long ("..." at the cut).
std::string one_line(std::string_view text, std::size_t max_characters);

// Columns padded with spaces. Cells are shown with one_line(); the last column is not padded.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

}  // namespace relay::cli
