#include "backend/docker/workspace_base_dir.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace relay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKey = "container.workspace_base_dir";
constexpr mode_t kPassOnly = 0711;  // of the base directory

bool is_trusted(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

Error others_base(const std::string& base, const std::string& why) {
  return make_error(ErrorType::kWorkspaceUnavailable, base + " " + why)
      .because(
          "another user could put something else in the place of a session's directories, "
          "in which the relay makes, gives away and removes files")
      .suggest("set " + std::string(kKey) +
               " to a directory that only the relay's user or root can write to")
      .suggest(
          "where nobody else uses it, give it to the user that the relay runs as (chown) and "
          "take the right to write from others (chmod o-w)")
      .with("path", base)
      .with("key", std::string(kKey));
}

// Whoever owns the directory, or a link in its place, can replace what is in it; and so can all who
// may write there, unless the sticky bit keeps them from what is not their own. Its group may: it
// is often its owner's alone, and else somebody has chosen it.
std::optional<Error> not_for_the_relay_alone(const std::string& base) {
  std::string itself = base;  // a slash behind it would lead through a link
  while (itself.size() > 1 && itself.back() == '/') itself.pop_back();
  struct stat named = {};
  struct stat facts = {};
  if (::lstat(itself.c_str(), &named) != 0 || ::stat(base.c_str(), &facts) != 0) {
    return workspace_unavailable("cannot look at", base, errno);
  }
  for (const uid_t owner : {named.st_uid, facts.st_uid}) {
    if (is_trusted(owner)) continue;
    return others_base(base, "belongs to uid " + std::to_string(owner) +
                                 ", which is neither the relay's nor root's");
  }
  const bool is_open = (facts.st_mode & S_IWOTH) != 0 && (facts.st_mode & S_ISVTX) == 0;
  if (is_open) return others_base(base, "can be written by every user");
  return std::nullopt;
}

}  // namespace

Error name_base_dir(Error error) { return std::move(error).with("key", std::string(kKey)); }

Error workspace_unavailable(const std::string& what, const std::string& path, int failure) {
  Error error = name_base_dir(make_error(ErrorType::kWorkspaceUnavailable,
                                         what + " " + path + ": " + std::strerror(failure))
                                  .with("path", path));
  if (failure == ENOSPC || failure == EDQUOT) {
    error.possible_causes.emplace_back("the disk is full");
    error.suggested_actions.emplace_back("df -h " + path);
    error.recoverable = true;
  } else if (failure == EMFILE || failure == ENFILE) {
    error.possible_causes.emplace_back("the relay or the machine has no file descriptors left");
    error.suggested_actions.emplace_back(
        "close sessions, lower agent.max_concurrent_sessions or raise LimitNOFILE");
    error.recoverable = true;
  } else if (failure == EACCES || failure == EPERM || failure == EROFS) {
    error.possible_causes.emplace_back("the relay's user may not write there");
    error.suggested_actions.emplace_back("set " + std::string(kKey) +
                                         " to a directory that belongs to the relay's user");
  }
  error.suggested_actions.emplace_back("check " + std::string(kKey));
  return error;
}

Result<void> open_workspaces(const ContainerOptions& options) {
  if (::access(options.helper_program.c_str(), X_OK) != 0) {
    return make_error(ErrorType::kWorkspaceUnavailable,
                      "cannot run " + options.helper_program + ": " + std::strerror(errno))
        .suggest("install acp-workspace-helper beside acp-relay");
  }
  const std::string& base = options.workspace_base_dir;
  std::error_code failure;
  const bool made = fs::create_directories(base, failure);
  if (failure) return workspace_unavailable("cannot make", base, failure.value());
  if (made) ::chmod(base.c_str(), kPassOnly);
  if (!fs::is_directory(base, failure))
    return workspace_unavailable("no directory:", base, ENOTDIR);
  if (auto others = not_for_the_relay_alone(base)) return *others;
  if (::access(base.c_str(), W_OK | X_OK) != 0)
    return workspace_unavailable("cannot write in", base, errno);
  return Result<void>();
}

std::function<int()> usable(std::string base) {
  return [base = std::move(base)] {
    constexpr std::uint64_t kTooLittle = 1u << 20;
    if (::access(base.c_str(), W_OK | X_OK) != 0) return errno;
    struct statvfs room = {};
    if (::statvfs(base.c_str(), &room) != 0) return 0;
    const bool full =
        room.f_bavail * room.f_frsize < kTooLittle || (room.f_files > 0 && room.f_favail == 0);
    return full ? ENOSPC : 0;
  };
}

}  // namespace relay
