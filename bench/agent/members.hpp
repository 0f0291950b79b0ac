// Finds the members of a JSON-RPC message that decide its answer, without looking at the rest.
// The views point into the scanned text. Text that is no JSON object gives empty members.
#pragma once

#include <cstddef>
#include <string_view>

namespace relay::bench {

struct Members {
  std::string_view id;      // raw JSON; empty for a notification
  std::string_view method;  // without quotes; empty for a response
  /// Where the value of `params` begins; npos without one.
  std::size_t params = std::string_view::npos;
};

/// Stops at `params` once id and method are known, so a large payload behind them costs nothing.
Members find_members(std::string_view line);

/// The number behind `"key":`, or `otherwise`; for the flat parameters of the bench methods only.
std::size_t number_of(std::string_view text, std::string_view quoted_key, std::size_t otherwise);

/// The string behind `"key":"`, or an empty view.
std::string_view string_of(std::string_view text, std::string_view quoted_key);

}  // namespace relay::bench
