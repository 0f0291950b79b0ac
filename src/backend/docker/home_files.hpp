// What an image has in its user's home, for a home of a session's own (container.home: keep). Pure.
#pragma once

#include "backend/docker/container_spec.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace relay {

// An image with more in its home has none of it in sessions' homes.
inline constexpr std::size_t kMaxHomeFiles = 8u << 20;

// Makes of `image_home`, the Engine's archive of what is in that directory, the archive to unpack
// in the new home of a session: files, directories and links, all of them the user's. Left out is
// what would meet a mount in the home: what lies at or below one, and what is no directory above
// one. Empty: there is nothing to unpack. Fails when `image_home` is no archive.
Result<std::string> files_for_home(std::string_view image_home, const ContainerOptions& options,
                                   const ContainerPlan& plan);

}  // namespace relay
