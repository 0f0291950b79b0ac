#include "config/entry_name.hpp"

#include <algorithm>

namespace relay::config {

bool is_entry_name(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxEntryName && is_plain(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_plain(c) || c == '-' || c == '_'; });
}

}  // namespace relay::config
