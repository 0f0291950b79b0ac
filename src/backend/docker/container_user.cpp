#include "backend/docker/container_user.hpp"

#include <charconv>
#include <optional>

namespace relay {
namespace {

// An id that the Engine accepts: 0 to 2147483647.
std::optional<std::uint32_t> number(std::string_view text) {
  constexpr std::uint32_t kLargest = 2147483647;
  std::uint32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value > kLargest) {
    return std::nullopt;
  }
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

// The fields of the first usable line about `who`, which is an id (the third field) when it is a
// number, as for the Engine, and otherwise a name (the first); empty: no such line.
std::vector<std::string_view> line_about(std::string_view file, std::string_view who,
                                         std::size_t least_fields) {
  const std::optional<std::uint32_t> id = number(who);
  for (const std::string_view line : split(file, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() < least_fields) continue;
    const std::optional<std::uint32_t> its_id = number(fields[2]);
    // A line with a damaged id would make its user root.
    if (its_id && (id ? its_id == id : fields[0] == who)) return fields;
  }
  return {};
}

Error unknown(std::string_view kind, std::string_view name, UserChoice choice) {
  Error error = make_error(ErrorType::kContainerStartFailed,
                           "the image has no " + std::string(kind) + " " + std::string(name))
                    .because("/etc/passwd and /etc/group of the image do not name it")
                    .with("phase", "create")
                    .with("key", "container.user");
  if (choice == UserChoice::kImages) {
    error.possible_causes.emplace_back("the image says so itself (USER in its Dockerfile)");
    return std::move(error).suggest("set container.user to a number (uid:gid)");
  }
  return std::move(error).suggest(
      "set container.user to a number (uid:gid), or leave it empty for the image's user");
}

std::string home_in_environment(const ImageUsers& image) {
  std::string home;
  for (const std::string& entry : image.environment) {
    if (entry.starts_with("HOME=")) home = entry.substr(5);
  }
  return home;
}

}  // namespace

Result<ContainerUser> resolve_user(std::string_view user, const ImageUsers& image,
                                   UserChoice choice) {
  const auto colon = user.find(':');
  const std::string_view before = user.substr(0, colon);
  const std::string_view name = before.empty() ? "0" : before;
  ContainerUser found;
  const auto entry = line_about(image.passwd, name, 4);
  const auto uid = number(entry.empty() ? name : entry[2]);
  if (!uid) return unknown("user", name, choice);
  found.uid = *uid;
  if (!entry.empty()) found.gid = number(entry[3]).value_or(0);
  if (entry.size() >= 6 && entry[5].starts_with('/')) found.home = entry[5];
  const std::string_view group = colon == std::string_view::npos ? "" : user.substr(colon + 1);
  if (!group.empty()) {
    const auto line = line_about(image.group, group, 3);
    const auto gid = number(line.empty() ? group : line[2]);
    if (!gid) return unknown("group", group, choice);
    found.gid = *gid;
  }
  // HOME of the image wins over the user's entry, as it does in the container.
  if (const std::string home = home_in_environment(image); home.starts_with('/')) found.home = home;
  return found;
}

}  // namespace relay
