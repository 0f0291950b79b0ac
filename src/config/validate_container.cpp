#include "config/mount_danger.hpp"
#include "config/suggest.hpp"
#include "config/validate.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace relay::config {
namespace {

constexpr std::uint64_t kLeastMemory = 6u << 20;  // the Engine refuses less

// Collects findings under <section><key>.
class Checks {
 public:
  Checks(const ContainerConfig& container, std::string section, std::vector<Finding>& findings)
      : allow_unsafe_(container.allow_unsafe), section_(std::move(section)), findings_(findings) {}

  void refuse(const std::string& key, std::string message, std::string remedy) {
    findings_.push_back(
        {Severity::kProblem, section_ + key, std::move(message), std::move(remedy)});
  }
  void warn(const std::string& key, std::string message, std::string remedy) {
    findings_.push_back(
        {Severity::kWarning, section_ + key, std::move(message), std::move(remedy)});
  }
  // Dangerous values are refused, or warned about when the user accepts them.
  void danger(const std::string& key, const std::string& message) {
    if (allow_unsafe_)
      warn(key, message, "accepted because of " + section_ + "allow_unsafe");
    else
      refuse(key, "unsafe: " + message,
             "choose a safer value, or set " + section_ + "allow_unsafe: true if you accept that");
  }

 private:
  bool allow_unsafe_;
  std::string section_;
  std::vector<Finding>& findings_;
};

std::string item(const std::string& key, std::size_t index) {
  return key + "[" + std::to_string(index) + "]";
}

bool is_word(std::string_view text, std::string_view also = "_.-") {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           also.find(c) != std::string_view::npos;
  });
}

void check_resources(const ContainerConfig& c, Checks& checks) {
  if (c.memory_limit != 0 && c.memory_limit < kLeastMemory)
    checks.refuse("memory_limit", "less than 6M", "give at least 6M, or 0 for no limit");
  if (c.cpu_limit > 0 && c.cpu_limit < 0.01)
    checks.refuse("cpu_limit", "less than 0.01", "give at least 0.01, or 0 for no limit");
}

// One side of a ulimit; -1 and "unlimited" are the largest.
std::optional<std::uint64_t> limit_value(std::string_view text) {
  if (text == "-1" || text == "unlimited") return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() ||
      number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return number;
}

void check_ulimits(const ContainerConfig& c, Checks& checks) {
  static const std::vector<std::string> kNames{
      "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
      "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
  for (const auto& [name, text] : c.ulimits) {
    const std::string key = "ulimits." + name;
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
      const auto meant = nearest(name, kNames);
      checks.refuse(key, "no such limit",
                    meant ? "did you mean " + *meant + "?" : "see man setrlimit");
      continue;
    }
    const auto colon = text.find(':');
    const auto soft = limit_value(std::string_view(text).substr(0, colon));
    const auto hard =
        colon == std::string::npos ? soft : limit_value(std::string_view(text).substr(colon + 1));
    if (!soft || !hard || *soft > *hard)
      checks.refuse(key, "not a limit",
                    "write soft or soft:hard, soft not above hard; -1: unlimited");
  }
}

void check_network(const ContainerConfig& c, Checks& checks) {
  const std::string& mode = c.network_mode;
  if (mode == "host")
    checks.danger("network_mode",
                  "host gives the agent every network and local service of the host");
  else if (mode.starts_with("container:"))
    checks.danger("network_mode", "container: shares the network of another container");
  else if (!is_word(mode))
    checks.refuse("network_mode", "not a network", "write none, bridge or the name of a network");
}

void check_tmpfs(const ContainerConfig& c, Checks& checks) {
  for (std::size_t i = 0; i < c.tmpfs.size(); ++i) {
    const std::string path = c.tmpfs[i].substr(0, c.tmpfs[i].find(':'));
    if (!path.starts_with('/') || normal_path(path) == "/" ||
        is_within("/workspace", normal_path(path)))
      checks.refuse(item("tmpfs", i), "not a directory for memory",
                    "write /path or /path:size=64m, neither / nor /workspace, which is the "
                    "session's directory below container.workspace_base_dir");
  }
}

void check_capabilities(const ContainerConfig& c, Checks& checks) {
  static const std::vector<std::string> kNames{"ALL",
                                               "AUDIT_CONTROL",
                                               "AUDIT_READ",
                                               "AUDIT_WRITE",
                                               "BLOCK_SUSPEND",
                                               "BPF",
                                               "CHECKPOINT_RESTORE",
                                               "CHOWN",
                                               "DAC_OVERRIDE",
                                               "DAC_READ_SEARCH",
                                               "FOWNER",
                                               "FSETID",
                                               "IPC_LOCK",
                                               "IPC_OWNER",
                                               "KILL",
                                               "LEASE",
                                               "LINUX_IMMUTABLE",
                                               "MAC_ADMIN",
                                               "MAC_OVERRIDE",
                                               "MKNOD",
                                               "NET_ADMIN",
                                               "NET_BIND_SERVICE",
                                               "NET_BROADCAST",
                                               "NET_RAW",
                                               "PERFMON",
                                               "SETFCAP",
                                               "SETGID",
                                               "SETPCAP",
                                               "SETUID",
                                               "SYSLOG",
                                               "SYS_ADMIN",
                                               "SYS_BOOT",
                                               "SYS_CHROOT",
                                               "SYS_MODULE",
                                               "SYS_NICE",
                                               "SYS_PACCT",
                                               "SYS_PTRACE",
                                               "SYS_RAWIO",
                                               "SYS_RESOURCE",
                                               "SYS_TIME",
                                               "SYS_TTY_CONFIG",
                                               "WAKE_ALARM"};
  for (std::size_t i = 0; i < c.drop_capabilities.size(); ++i) {
    std::string name = c.drop_capabilities[i];
    std::transform(name.begin(), name.end(), name.begin(), [](char ch) {
      return ch >= 'a' && ch <= 'z' ? static_cast<char>(ch - 32) : ch;
    });
    if (name.starts_with("CAP_")) name.erase(0, 4);
    if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) continue;
    const auto meant = nearest(name, kNames);
    checks.refuse(item("drop_capabilities", i), "no such capability",
                  meant ? "did you mean " + *meant + "?" : "see man capabilities");
  }
}

void check_security_option(const std::string& option, const std::string& key, Checks& checks) {
  const auto split = option.find_first_of("=:");
  const std::string name = option.substr(0, split);
  const std::string value = split == std::string::npos ? "" : option.substr(split + 1);
  if (value == "unconfined" || (name == "label" && value == "disable")) {
    checks.danger(key, option + " takes a protection away");
  } else if (name == "no-new-privileges") {
    if (value == "false")
      checks.danger(key, option + " lets programs of the image make the agent root");
    else if (split != std::string::npos && value != "true")
      checks.refuse(key, "not a form of no-new-privileges", "write no-new-privileges");
  } else if (name == "seccomp") {
    if (value != "default" && value != "builtin" && !value.starts_with('/'))
      checks.refuse(key, "not a seccomp profile",
                    "write seccomp=default or seccomp=/path/profile.json");
  } else if (name == "apparmor" || name == "label") {
    if (value.empty()) checks.refuse(key, name + " needs a value", "write " + name + "=...");
  } else {
    checks.refuse(key, "not a security option",
                  "write no-new-privileges, seccomp=..., apparmor=... or label=...");
  }
}

void check_volumes(const ContainerConfig& c, const std::vector<OwnPlace>& own, Checks& checks) {
  std::vector<std::string> taken;  // the Engine mounts one thing at a place
  for (const std::string& entry : effective_tmpfs(c))
    taken.push_back(normal_path(entry.substr(0, entry.find(':'))));
  for (std::size_t i = 0; i < c.extra_volumes.size(); ++i) {
    const std::string key = item("extra_volumes", i);
    const auto volume = parse_volume(c.extra_volumes[i]);
    if (!volume) {
      checks.refuse(key, "not a volume",
                    "write /host/path:/container/path, with :ro or :rw behind it");
      continue;
    }
    const std::string target = normal_path(volume->target);
    if (target == "/" || is_within("/workspace", target))
      checks.refuse(key, "can't be mounted over " + target,
                    "choose another target; a directory of the host to work in belongs into "
                    "container.mount_roots");
    else if (std::find(taken.begin(), taken.end(), target) != taken.end())
      checks.refuse(key, "another volume or a tmpfs is at " + target + " already",
                    "choose another target, or take the other one out of container.extra_volumes "
                    "or container.tmpfs");
    taken.push_back(target);
    if (!volume->source.starts_with('/')) continue;
    const Access access = volume->read_only ? Access::kRead : Access::kWrite;
    if (const std::string why = danger_of(volume->source, access, own); !why.empty())
      checks.danger(key, volume->source + ": " + why);
  }
}

void check_directories(const ContainerConfig& c, const std::vector<OwnPlace>& own, Checks& checks) {
  if (!c.workspace_base_dir.starts_with('/'))
    checks.refuse("workspace_base_dir", "not an absolute path", "write a path that begins with /");
  else if (const std::string why = danger_of(c.workspace_base_dir, Access::kRead, {}); !why.empty())
    checks.refuse("workspace_base_dir", why, "choose a directory of its own for workspaces");
  else if (c.selinux_label != SelinuxLabel::kNone &&
           c.workspace_base_dir.find(':') != std::string::npos)
    checks.refuse("workspace_base_dir", "has a colon in it, which selinux_label does not allow",
                  "choose a directory without one");
  for (std::size_t i = 0; i < c.mount_roots.size(); ++i) {
    const std::string key = item("mount_roots", i);
    if (!c.mount_roots[i].starts_with('/'))
      checks.refuse(key, "not an absolute path", "write a path that begins with /");
    else if (const std::string why = danger_of(c.mount_roots[i], Access::kWrite, own); !why.empty())
      checks.danger(key, c.mount_roots[i] + ": " + why);
  }
}

void check_names(const ContainerConfig& c, Checks& checks) {
  if (!is_word(c.image, "_.-/:@+") || c.image.starts_with('-'))
    checks.refuse("image", "not the name of an image", "write name:tag or registry/name:tag");
  if (!c.command.empty() && c.command.front().empty())
    checks.refuse("command[0]", "empty", "give the program, or remove the key for the image's own");
  const auto colon = c.user.find(':');
  const bool group_is_bad =
      colon != std::string::npos && !is_word(std::string_view(c.user).substr(colon + 1));
  if (!c.user.empty() && (!is_word(std::string_view(c.user).substr(0, colon)) || group_is_bad))
    checks.refuse("user", "not a user", "write name, uid, name:group or uid:gid");
  if (!c.runtime.empty() && !is_word(c.runtime))
    checks.refuse("runtime", "not the name of a runtime", "write it as docker info lists it");
  if (!is_word(c.log_driver))
    checks.refuse("log_driver", "not the name of a log driver", "write json-file, local or none");
  if (c.enabled && c.log_driver == "none")
    checks.warn("log_driver", "what an agent writes while no relay runs is lost with none",
                "write json-file or local, or accept gaps after a relay that was killed");
  for (const auto& [name, value] : c.labels) {
    if (name.empty() || name.starts_with("acp."))
      checks.refuse("labels." + name, "names that begin with acp. are the relay's own",
                    "choose another name");
  }
  if (!c.docker_host.empty() && !c.docker_host.starts_with("unix:///") &&
      !(c.docker_host.starts_with("tcp://") && c.docker_host.size() > 6))
    checks.refuse("docker_host", "neither unix:///path nor tcp://host:port",
                  "write unix:///var/run/docker.sock, for example");
}

}  // namespace

void validate_container(const ContainerConfig& container, const std::string& section,
                        const std::vector<OwnPlace>& own, std::vector<Finding>& findings) {
  Checks checks(container, section, findings);
  if (container.required && !container.enabled)
    checks.warn("required", "has no effect while container.enabled is false",
                "set container.enabled: true");
  check_names(container, checks);
  check_resources(container, checks);
  check_ulimits(container, checks);
  check_network(container, checks);
  check_tmpfs(container, checks);
  check_capabilities(container, checks);
  for (std::size_t i = 0; i < container.security_opt.size(); ++i)
    check_security_option(container.security_opt[i], item("security_opt", i), checks);
  check_volumes(container, own, checks);
  check_directories(container, own, checks);
}

}  // namespace relay::config
