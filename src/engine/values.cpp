#include "engine/values.hpp"

namespace relay::engine {

std::string ContainerSummary::label(std::string_view name_of_label) const {
  for (const auto& [key, value] : labels) {
    if (key == name_of_label) return value;
  }
  return {};
}

}  // namespace relay::engine
