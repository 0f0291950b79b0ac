#include "cli/preflight/port_owner.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace relay::cli::preflight {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListening = "0A";  // TCP_LISTEN

std::string content(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "socket:[123]" of /proc/PID/fd/N.
std::optional<std::uint64_t> socket_inode(const std::string& link) {
  constexpr std::string_view kPrefix = "socket:[";
  if (!link.starts_with(kPrefix) || !link.ends_with(']')) return std::nullopt;
  return number(std::string_view(link).substr(kPrefix.size(), link.size() - kPrefix.size() - 1),
                10);
}

bool has_one_of(const fs::path& process, const std::set<std::uint64_t>& inodes) {
  std::error_code failure;
  for (fs::directory_iterator file(process / "fd", failure), end; !failure && file != end;
       file.increment(failure)) {
    std::error_code gone;
    const auto inode = socket_inode(fs::read_symlink(file->path(), gone).string());
    if (inode && inodes.contains(*inode)) return true;
  }
  return false;
}

}  // namespace

std::set<std::uint64_t> listening_inodes(std::string_view table, std::uint16_t port) {
  std::set<std::uint64_t> inodes;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, again, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> again >> uid >> timeout >>
        inode;
    const auto colon = local.rfind(':');
    if (state != kListening || colon == std::string::npos) continue;
    if (number(std::string_view(local).substr(colon + 1), 16) != port) continue;
    if (const auto found = number(inode, 10)) inodes.insert(*found);
  }
  return inodes;
}

std::string program_of(pid_t pid) {
  std::string name = content("/proc/" + std::to_string(pid) + "/comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

std::optional<Listener> port_owner(std::uint16_t port) {
  std::set<std::uint64_t> inodes = listening_inodes(content("/proc/net/tcp"), port);
  inodes.merge(listening_inodes(content("/proc/net/tcp6"), port));
  if (inodes.empty()) return std::nullopt;
  std::error_code failure;
  for (fs::directory_iterator entry("/proc", failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const auto pid = number(entry->path().filename().string(), 10);
    if (!pid || !has_one_of(entry->path(), inodes)) continue;
    return Listener{static_cast<pid_t>(*pid), program_of(static_cast<pid_t>(*pid))};
  }
  return std::nullopt;
}

}  // namespace relay::cli::preflight
