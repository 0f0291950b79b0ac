#include "engine/values.hpp"

#include <string_view>

namespace relay::engine {
namespace {

std::string value_of(const Labels& labels, std::string_view name) {
  for (const auto& [key, value] : labels) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

std::string ContainerFacts::label(std::string_view name_of_label) const {
  return value_of(labels, name_of_label);
}

std::string ContainerSummary::label(std::string_view name_of_label) const {
  return value_of(labels, name_of_label);
}

}  // namespace relay::engine
