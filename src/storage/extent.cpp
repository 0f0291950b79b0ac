#include "storage/extent.hpp"

#include "storage/entry_bytes.hpp"

namespace relay::storage {

void add_extent(std::vector<Extent>& extents, Extent added) {
  if (!extents.empty() && extents.back().offset + extents.back().size == added.offset) {
    extents.back().size += added.size;
  } else {
    extents.push_back(added);
  }
}

// Each by the room before it and its size.
std::string packed(const std::vector<Extent>& extents) {
  const auto write = [&extents](auto& sink) {
    EntryWriter writer(sink);
    std::uint32_t end = 0;
    for (const Extent& extent : extents) {
      writer.number(std::uint64_t{extent.offset - end});
      writer.number(std::uint64_t{extent.size});
      end = extent.offset + extent.size;
    }
  };
  ByteCounter counter;
  write(counter);
  std::string bytes(counter.size(), '\0');
  ByteCopier copier(bytes.data());
  write(copier);
  return bytes;
}

std::vector<Extent> unpacked(std::string_view bytes) {
  std::vector<Extent> extents;
  EntryReader reader(bytes);
  std::uint32_t end = 0;
  while (!reader.at_end()) {
    const auto room = reader.number<std::uint32_t>();
    const auto size = reader.number<std::uint32_t>();
    if (!reader.ok()) break;
    extents.push_back({end + room, size});
    end += room + size;
  }
  return extents;
}

}  // namespace relay::storage
