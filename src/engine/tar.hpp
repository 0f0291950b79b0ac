// The tar archives in which the Engine hands files over (POSIX ustar with pax and GNU notes). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::engine {

struct TarEntry {
  enum class Kind { kFile, kDirectory, kLink, kHardLink, kOther };
  Kind kind = Kind::kFile;
  std::string path;          // as it stands there: "./a", "a/"
  std::string target;        // of links
  unsigned mode = 0;         // 07777 at most
  std::uint64_t time = 0;    // of the last change, s since 1970
  std::string_view content;  // of files
};

// The entries of an archive, one after another. Views point into the archive, which outlives them.
class TarReader {
 public:
  explicit TarReader(std::string_view archive) : rest_(archive) {}
  // Empty: the end, or what follows is cut off or is no archive.
  std::optional<TarEntry> next();
  bool is_damaged() const { return damaged_; }

 private:
  std::optional<TarEntry> fail();

  std::string_view rest_;
  bool damaged_ = false;
};

struct TarOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// An archive with these entries (none of kind kOther), all of one owner.
std::string archive_of(const std::vector<TarEntry>& entries, TarOwner owner);

// What an archive is about: a file with its content, or a symbolic link with where it leads.
struct ArchiveEntry {
  bool is_link = false;
  std::string content;  // of a link: its target
  bool operator==(const ArchiveEntry&) const = default;
};

// The first entry of the archive. Empty when that is something else (a directory, a device), is cut
// off or is no archive.
std::optional<ArchiveEntry> first_entry(std::string_view archive);

// An archive with one executable file, mode 0755, owner root.
std::string executable_archive(std::string_view name, std::string_view content);

}  // namespace relay::engine
