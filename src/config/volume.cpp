#include "config/config.hpp"

#include <algorithm>
#include <utility>

namespace relay::config {
namespace {

bool is_volume_name(std::string_view name) {
  if (name.size() < 2) return false;
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
           return alphanumeric(c) || c == '_' || c == '.' || c == '-';
         });
}

bool read_options(std::string_view options, Volume& volume) {
  bool has_mode = false;
  while (true) {
    const auto comma = options.find(',');
    const std::string_view option = options.substr(0, comma);
    if ((option == "ro" || option == "rw") && !std::exchange(has_mode, true)) {
      volume.read_only = option == "ro";
    } else if ((option == "z" || option == "Z") && volume.label == SelinuxLabel::kNone) {
      volume.label = option == "z" ? SelinuxLabel::kShared : SelinuxLabel::kPrivate;
    } else {
      return false;
    }
    if (comma == std::string_view::npos) return true;
    options.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<Volume> parse_volume(const std::string& text) {
  const auto first = text.find(':');
  if (first == std::string::npos) return std::nullopt;
  const auto second = text.find(':', first + 1);
  Volume volume;
  volume.source = text.substr(0, first);
  volume.target = text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
  if (second != std::string::npos) {
    if (!read_options(std::string_view(text).substr(second + 1), volume)) return std::nullopt;
  }
  if (!volume.target.starts_with('/')) return std::nullopt;
  if (!volume.source.starts_with('/') && !is_volume_name(volume.source)) return std::nullopt;
  return volume;
}

Strings effective_tmpfs(const ContainerConfig& container) {
  if (!container.tmpfs.empty() || !container.readonly_rootfs) return container.tmpfs;
  return {"/tmp", "/run", "/var/tmp"};
}

}  // namespace relay::config
