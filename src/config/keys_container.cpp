#include "config/keys.hpp"

namespace relay::config {

void add_container_keys(std::vector<Key>& keys) {
  using C = ContainerConfig;
  using std::chrono::milliseconds;
  constexpr std::uint64_t kTi = 1ull << 40;
  constexpr milliseconds kSome{1};
  constexpr milliseconds kNone{0};
  Section at(keys, "container.", [](auto& config) -> auto& { return config.container; });

  at("enabled", &C::enabled, flag(),
     "true: every session's agent runs in its own container. This version checks the keys of "
     "this section but runs no containers yet: it falls back to agent.command and says so, or "
     "refuses to start when that is not set or container.required is true.");
  at("required", &C::required, flag(),
     "true: the relay refuses to start when containers can't be used; false: it then uses "
     "agent.command, if that is set, and says so.");
  at("image", &C::image, text(), "Image of the agent.");
  at("command", &C::command, strings(), "Command in the container; empty: the image's own.")
      .secrecy = Secrecy::kMayCarry;
  at("memory_limit", &C::memory_limit, size<std::uint64_t>(0, 64 * kTi),
     "Memory of a container, at least 6M; swap is never added. 0: no limit.");
  at("cpu_limit", &C::cpu_limit, number(0, 4096),
     "CPUs of a container, 0.5 is half of one. 0: no limit.");
  at("pids_limit", &C::pids_limit, count<std::int64_t>(0, 4'194'304),
     "Processes and threads in a container. 0: no limit.");
  at("ulimits", &C::ulimits, string_map(),
     "Resource limits by name (nofile, core, ...) as soft or soft:hard; empty: the Engine's own.");
  at("network_mode", &C::network_mode, text(),
     "none, bridge, the name of a network, or (unsafe) host.");
  at("readonly_rootfs", &C::readonly_rootfs, flag(),
     "true: the container can't write to its image.");
  at("tmpfs", &C::tmpfs, strings(),
     "Directories in memory as /path[:options]. Empty: /tmp, /run and /var/tmp when the root is "
     "read-only, otherwise none.");
  at("drop_capabilities", &C::drop_capabilities, strings(),
     "Linux capabilities that are taken away, with or without CAP_; ALL for every one.");
  at("security_opt", &C::security_opt, strings(),
     "Security options: no-new-privileges, seccomp=default (the Engine's own profile), "
     "seccomp=/path/profile.json, apparmor=NAME, label=....");
  at("user", &C::user, text(),
     "User in the container as name or uid, optionally :group; empty: the image's.");
  at("init", &C::init, flag(), "true: a small init process reaps what the agent leaves behind.");
  at("home", &C::home,
     choice<HomeMode>(
         {{"keep", HomeMode::kKeep}, {"tmpfs", HomeMode::kTmpfs}, {"image", HomeMode::kImage}}),
     "The user's home: keep is a directory of the session on the host, tmpfs is memory, image is "
     "what the image has there.");
  at("runtime", &C::runtime, text(),
     "OCI runtime such as runsc, as the Engine knows it; empty: the Engine's default.");
  at("workspace_base_dir", &C::workspace_base_dir, text(),
     "Host directory in which each session gets its workspace and home.");
  at("mount_roots", &C::mount_roots, strings(),
     "Host directories below which a client may choose its working directory, which is then "
     "mounted "
     "read-write at the same path.");
  at("extra_volumes", &C::extra_volumes, strings(),
     "Further mounts as src:dst[:ro|rw], read-only unless said.");
  at("auto_remove", &C::auto_remove, flag(),
     "true: a session's directories are deleted when it ends. The container always is.");
  at("pull_policy", &C::pull_policy,
     choice<PullPolicy>({{"missing", PullPolicy::kMissing},
                         {"always", PullPolicy::kAlways},
                         {"never", PullPolicy::kNever}}),
     "When the image is pulled.");
  at("pull_timeout", &C::pull_timeout, duration(kSome), "Time for pulling the image.");
  at("startup_timeout", &C::startup_timeout, duration(kSome),
     "Time from making a container to the agent's answer to initialize.");
  at("shutdown_timeout", &C::shutdown_timeout, duration(kNone),
     "Time that a container has to end after SIGTERM, before SIGKILL.");
  at("max_concurrent_starts", &C::max_concurrent_starts, count<std::size_t>(0, 10'000),
     "Containers that are started at the same time; 0: twice the number of cores.");
  at("log_driver", &C::log_driver, text(), "The Engine's log driver for the containers.");
  at("log_opts", &C::log_opts, string_map(), "Options of the log driver.").secrecy =
      Secrecy::kMayCarry;
  at("docker_host", &C::docker_host, text(),
     "unix:///path or tcp://host:port of the Engine; empty: DOCKER_HOST, else "
     "unix:///var/run/docker.sock.");
  at("labels", &C::labels, string_map(), "Further labels of the containers.").secrecy =
      Secrecy::kMayCarry;
  at("allow_unsafe", &C::allow_unsafe, flag(),
     "true: accepts values that undo the isolation (host network, unconfined profiles, mounting / "
     "or "
     "the Docker socket).");
}

}  // namespace relay::config
