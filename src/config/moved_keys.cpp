#include "config/moved_keys.hpp"

#include <array>
#include <utility>

namespace relay::config {

std::string_view moved_to(std::string_view path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kMoved{{
      {"agent.mode", "write container.enabled: true for containers, false for processes"},
      {"agent.container", "write its keys below container, at the beginning of a line"},
      {"container.workspace_host_base", "write container.workspace_base_dir"},
      {"container.workspace_container_path", "leave it out: the workspace is at /workspace"},
  }};
  for (const auto& [moved, remedy] : kMoved) {
    if (path == moved) return remedy;
  }
  return {};
}

}  // namespace relay::config
