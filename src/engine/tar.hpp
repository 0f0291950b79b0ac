// The one-file tar archives in which the Engine hands files over (POSIX ustar). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay::engine {

// The content of the file that the archive is about. Empty when it begins with something else (a
// directory, a link), is cut off or is no archive.
std::optional<std::string> first_file(std::string_view archive);

// An archive with one executable file, mode 0755, owner root. `name` has at most 99 bytes.
std::string executable_archive(std::string_view name, std::string_view content);

}  // namespace relay::engine
