#include "config/mount_danger.hpp"

#include <filesystem>
#include <string_view>

namespace relay::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSockets[] = {"/var/run/docker.sock", "/run/docker.sock",
                                         "/run/podman/podman.sock",
                                         "/run/containerd/containerd.sock"};

constexpr std::string_view kTrees[] = {
    "/proc", "/sys", "/dev", "/var/lib/docker", "/var/lib/containers", "/run/containerd"};

// Keys and passwords: who reads them is root soon.
constexpr std::string_view kSecrets[] = {"/etc/shadow",   "/etc/shadow-", "/etc/gshadow",
                                         "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
                                         "/etc/ssh",      "/root/.ssh",   "/root/.gnupg"};

// What root runs or believes: who writes there is root soon.
constexpr std::string_view kTrusted[] = {"/etc",
                                         "/boot",
                                         "/bin",
                                         "/sbin",
                                         "/lib",
                                         "/lib32",
                                         "/lib64",
                                         "/usr/bin",
                                         "/usr/sbin",
                                         "/usr/lib",
                                         "/usr/lib32",
                                         "/usr/lib64",
                                         "/usr/libexec",
                                         "/usr/local/bin",
                                         "/usr/local/sbin",
                                         "/usr/local/lib",
                                         "/var/spool/cron",
                                         "/var/spool/at",
                                         "/var/lib/dpkg",
                                         "/var/lib/rpm",
                                         "/var/lib/systemd",
                                         "/run/systemd"};

std::string words(std::string_view view) { return std::string(view); }

void add_file(std::vector<OwnPlace>& places, const std::string& path, std::string what) {
  if (!path.empty()) places.push_back({normal_path(path), std::move(what), true});
}

std::string danger_to_host(const std::string& path) {
  if (path == "/") return "the whole file system of the host";
  const std::string name = fs::path(path).filename().string();
  if (name == "docker.sock" || name == "podman.sock" || name == "containerd.sock")
    return "gives control over the host: it is the socket of a container engine";
  for (const std::string_view socket : kSockets) {
    if (is_within(path, words(socket)))
      return "gives control over the host: it holds " + words(socket);
  }
  for (const std::string_view tree : kTrees) {
    if (is_within(words(tree), path)) return "lies in " + words(tree) + " of the host";
    if (is_within(path, words(tree))) return "holds " + words(tree) + " of the host";
  }
  return {};
}

bool lies_beside(const OwnPlace& file, const std::string& path) {
  return file.is_file && (path.starts_with(file.path + "-") || path.starts_with(file.path + "."));
}

std::string danger_to_relay(const std::string& path, const std::vector<OwnPlace>& own) {
  for (const OwnPlace& place : own) {
    if (path == place.path) return "is the relay's own: " + place.what;
    if (is_within(path, place.path)) return "holds " + place.what + ": " + place.path;
    if (is_within(place.path, path) || lies_beside(place, path))
      return "belongs to " + place.what + ": " + place.path;
  }
  return {};
}

std::string danger_of_secrets(const std::string& path) {
  for (const std::string_view secret : kSecrets) {
    if (is_within(path, words(secret))) return "holds " + words(secret) + " of the host";
    if (is_within(words(secret), path)) return "lies in " + words(secret) + " of the host";
  }
  for (const fs::path& part : fs::path(path)) {
    if (part == ".ssh") return "holds keys of ssh, or says whose keys are let in";
  }
  return {};
}

std::string danger_of_writing(const std::string& path) {
  for (const std::string_view trusted : kTrusted) {
    if (is_within(words(trusted), path))
      return "lies in " + words(trusted) + ", which root of the host trusts, and can be written";
    if (is_within(path, words(trusted)))
      return "holds " + words(trusted) + ", which root of the host trusts, and can be written";
  }
  if (path.starts_with("/root/.")) return "holds settings of root of the host, and can be written";
  return {};
}

}  // namespace

std::string normal_path(const std::string& path) {
  std::error_code failure;
  const fs::path whole = fs::absolute(path, failure);
  std::string clean = (failure ? fs::path(path) : whole).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  while (clean.starts_with("//")) clean.erase(0, 1);
  return clean;
}

bool is_within(const std::string& directory, const std::string& path) {
  return directory == "/" || path == directory || path.starts_with(directory + "/");
}

std::vector<OwnPlace> own_places(const Config& config) {
  std::vector<OwnPlace> places;
  constexpr std::string_view kUnix = "unix://";
  const ContainerConfig& container = config.container;
  if (container.docker_host.starts_with(kUnix))
    add_file(places, container.docker_host.substr(kUnix.size()),
             "the socket of the Engine (container.docker_host)");
  if (!container.workspace_base_dir.empty())
    places.push_back({normal_path(container.workspace_base_dir),
                      "the workspaces of all sessions (container.workspace_base_dir)"});
  if (config.database.enabled)
    add_file(places, config.database.path, "the database (database.path)");
  for (const UpstreamConfig& upstream : config.egress.upstreams)
    add_file(places, upstream.credential.file,
             "the credential of an upstream (egress.upstreams." + upstream.name + ")");
  add_file(places, config.server.tls.key, "the relay's key (server.tls.key)");
  add_file(places, config.file, "the relay's configuration");
  return places;
}

std::string danger_of(const std::string& path, Access access, const std::vector<OwnPlace>& own) {
  const std::string clean = normal_path(path);
  std::string danger = danger_to_host(clean);
  if (danger.empty()) danger = danger_to_relay(clean, own);
  if (danger.empty()) danger = danger_of_secrets(clean);
  if (danger.empty() && access == Access::kWrite) danger = danger_of_writing(clean);
  return danger;
}

}  // namespace relay::config
