#include "backend/docker/container_user.hpp"

#include <charconv>
#include <optional>

namespace relay {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The fields of the first line in which field `index` is `value`; empty: no such line.
std::vector<std::string_view> line_with(std::string_view file, std::size_t index,
                                        std::string_view value) {
  for (const std::string_view line : split(file, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() > index && fields[index] == value) return fields;
  }
  return {};
}

Error unknown(std::string_view kind, std::string_view name) {
  return make_error(ErrorType::kContainerStartFailed,
                    "the image has no " + std::string(kind) + " " + std::string(name))
      .because("/etc/passwd and /etc/group of the image do not name it")
      .suggest("set container.user to a number (uid:gid), or leave it empty for the image's user")
      .with("phase", "create");
}

std::string home_in_environment(const ImageUsers& image) {
  std::string home;
  for (const std::string& entry : image.environment) {
    if (entry.starts_with("HOME=")) home = entry.substr(5);
  }
  return home;
}

}  // namespace

Result<ContainerUser> resolve_user(std::string_view user, const ImageUsers& image) {
  const auto colon = user.find(':');
  const std::string_view name = user.empty() ? "0" : user.substr(0, colon);
  ContainerUser found;
  auto entry = line_with(image.passwd, 0, name);
  if (const auto uid = number(name)) {
    found.uid = *uid;
    if (entry.empty()) entry = line_with(image.passwd, 2, name);
  } else if (entry.size() < 4) {
    return unknown("user", name);
  }
  if (entry.size() >= 4) {
    found.uid = number(entry[2]).value_or(found.uid);
    found.gid = number(entry[3]).value_or(0);
  }
  if (entry.size() >= 6 && entry[5].starts_with('/')) found.home = entry[5];
  if (colon != std::string_view::npos) {
    const std::string_view group = user.substr(colon + 1);
    const auto line = line_with(image.group, 0, group);
    const auto gid = number(line.size() >= 3 ? line[2] : group);
    if (!gid) return unknown("group", group);
    found.gid = *gid;
  }
  // HOME of the image wins over the user's entry, as it does in the container.
  if (const std::string home = home_in_environment(image); home.starts_with('/')) found.home = home;
  return found;
}

}  // namespace relay
