// The one-file tar archives in which the Engine hands files over (POSIX ustar). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay::engine {

// What an archive is about: a file with its content, or a symbolic link with where it leads.
struct ArchiveEntry {
  bool is_link = false;
  std::string content;  // of a link: its target
  bool operator==(const ArchiveEntry&) const = default;
};

// The first entry of the archive. Empty when that is something else (a directory, a device), is cut
// off or is no archive.
std::optional<ArchiveEntry> first_entry(std::string_view archive);

// An archive with one executable file, mode 0755, owner root. `name` has at most 99 bytes.
std::string executable_archive(std::string_view name, std::string_view content);

}  // namespace relay::engine
