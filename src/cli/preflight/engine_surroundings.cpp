#include "cli/preflight/engine_surroundings.hpp"

#include "cli/preflight/machine_facts.hpp"

#include <algorithm>
#include <cstdlib>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace relay::cli::preflight {
namespace {

bool is_usable_socket(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode) &&
         ::access(path.c_str(), R_OK | W_OK) == 0;
}

std::vector<std::string> usual_sockets() {
  std::string runtime = "/run/user/" + std::to_string(::getuid());
  if (const char* given = std::getenv("XDG_RUNTIME_DIR")) runtime = given;
  return {"/var/run/docker.sock", runtime + "/docker.sock", runtime + "/podman/podman.sock",
          "/run/podman/podman.sock"};
}

bool is_program(const std::string& name) {
  return std::ranges::any_of(
      std::vector<std::string>{"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/bin/", "/sbin/"},
      [&name](const std::string& directory) {
        return ::access((directory + name).c_str(), X_OK) == 0;
      });
}

bool is_in_group(const std::string& user, const group& entry) {
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (user == *member) return true;
  }
  return false;
}

std::string install_command() {
  if (is_program("apt-get")) return "sudo apt-get install docker.io";
  if (is_program("dnf")) return "sudo dnf install moby-engine (or podman)";
  if (is_program("zypper")) return "sudo zypper install docker";
  if (is_program("apk")) return "sudo apk add docker";
  return {};
}

}  // namespace

std::string user_name(unsigned uid) {
  const passwd* const entry = ::getpwuid(uid);
  return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

EngineSurroundings engine_surroundings(const std::string& socket_path) {
  EngineSurroundings around;
  around.socket_path = socket_path;
  around.user = user_name(::geteuid());
  around.has_systemd = has_systemd();
  around.is_installed = is_program("dockerd") || is_program("podman");
  around.install = install_command();
  for (const std::string& path : usual_sockets()) {
    if (path != socket_path && is_usable_socket(path)) around.other_sockets.push_back(path);
  }
  if (socket_path.empty()) return around;
  struct stat facts {};
  if (::stat(socket_path.c_str(), &facts) != 0) {
    around.socket = errno == EACCES ? SocketState::kForbidden : SocketState::kMissing;
    return around;
  }
  const bool is_usable = ::access(socket_path.c_str(), R_OK | W_OK) == 0;
  around.socket = is_usable ? SocketState::kUsable : SocketState::kForbidden;
  const group* const entry = (facts.st_mode & S_IWGRP) != 0 ? ::getgrgid(facts.st_gid) : nullptr;
  if (entry != nullptr) {
    around.socket_group = entry->gr_name;
    around.group_is_new = !is_usable && is_in_group(around.user, *entry);
  }
  return around;
}

}  // namespace relay::cli::preflight
