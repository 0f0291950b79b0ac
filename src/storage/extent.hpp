// Stretches of a file of the journal, as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

// Whole entries that lie side by side.
struct Extent {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  bool operator==(const Extent&) const = default;
};

// Adds a stretch behind the others; one that begins where the last one ends makes that longer.
void add_extent(std::vector<Extent>& extents, Extent added);

// As the index keeps them.
std::string packed(const std::vector<Extent>& extents);
std::vector<Extent> unpacked(std::string_view bytes);

}  // namespace relay::storage
