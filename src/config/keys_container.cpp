#include "config/keys.hpp"

namespace relay::config {

void add_container_keys(std::vector<Key>& keys) {
  using C = ContainerConfig;
  using std::chrono::milliseconds;
  constexpr std::uint64_t kTi = 1ull << 40;
  Section at(keys, "container.", [](auto& config) -> auto& { return config.container; });

  at("enabled", &C::enabled, flag(),
     "true: every session's agent runs in its own container (docs/containers.md). false: as a "
     "process of this host.");
  at("required", &C::required, flag(),
     "What happens when containers can't be used as the relay starts. true: it refuses to start. "
     "false: it runs agent.command as processes and says so, or refuses to start when that is not "
     "set.");
  at("image", &C::image, text(),
     "Image of the agent, as name:tag or name@digest. It has to speak ACP on stdin and stdout.");
  at("command", &C::command, strings(),
     "Program and arguments in the container, in place of the image's entry point and command; "
     "empty: the image's own.")
      .secrecy = Secrecy::kMayCarry;
  at("memory_limit", &C::memory_limit, size<std::uint64_t>(0, 64 * kTi),
     "Memory of a container with all its files in tmpfs, at least 6M; swap is not added. 0: no "
     "limit.");
  at("cpu_limit", &C::cpu_limit, number(0, 4096),
     "CPU time of a container, in CPUs: 0.5 is half of one. More than the Engine's host has is "
     "lowered to that, with a warning. 0: no limit.");
  at("pids_limit", &C::pids_limit, count<std::int64_t>(0, 4'194'304),
     "Processes and threads in a container at a time, the init process among them. 0: no limit.");
  at("ulimits", &C::ulimits, string_map(),
     "Limits of each process by name (nofile, core, ...) as soft or soft:hard, -1: unlimited. "
     "Those left out are the Engine's own, and none may be above the Engine's hard limit.");
  at("network_mode", &C::network_mode, text(),
     "none: only a loopback interface. bridge or the name of a network of the Engine: what that "
     "network reaches. host is unsafe.");
  at("readonly_rootfs", &C::readonly_rootfs, flag(),
     "true: the container can't write to its image; its workspace, home and tmpfs stay "
     "writable. Where it is not said it is true for agents with upstreams.");
  at("tmpfs", &C::tmpfs, strings(),
     "Directories in memory as /path[:options], size=64m for example; they count as memory of the "
     "container, and nothing in them can be run unless exec is said. Empty: /tmp, /run and "
     "/var/tmp when the root is read-only (with exec in /tmp when it is that because of "
     "upstreams), otherwise none.");
  at("drop_capabilities", &C::drop_capabilities, strings(),
     "Linux capabilities that are taken from the Engine's own set, with or without CAP_; ALL for "
     "every one. Where it is not said it is [ALL] for agents with upstreams.");
  at("security_opt", &C::security_opt, strings(),
     "Security options: seccomp=default (the Engine's own profile), seccomp=/path/profile.json (a "
     "file of the relay's host, read at start and when a reload changes something of container), "
     "apparmor=NAME, label=.... no-new-privileges is in "
     "force whatever else is said; no-new-privileges=false is unsafe.");
  at("user", &C::user, text(),
     "User in the container as name or uid, optionally :group; names are looked up in the image's "
     "/etc/passwd and /etc/group. Empty: the image's user. The workspace belongs to it.");
  at("init", &C::init, flag(),
     "true: a small init process is process 1; it passes signals on to the agent and reaps what "
     "that leaves behind. Without it most agents end only by SIGKILL, after shutdown_timeout.");
  at("home", &C::home,
     choice<HomeMode>(
         {{"keep", HomeMode::kKeep}, {"tmpfs", HomeMode::kTmpfs}, {"image", HomeMode::kImage}}),
     "The user's home: keep is a directory of the session on the host, which begins with what the "
     "image has there (8 MiB at most), tmpfs is memory, empty at the start and gone with the "
     "container, image is what the image has there.");
  at("max_fork_bytes", &C::max_fork_bytes, size<std::uint64_t>(1u << 20, 1024 * kTi),
     "session/fork is refused for a session whose workspace and home take more, since a fork gets "
     "a copy of them; a file or directory counts as 4 KiB more than its data.");
  at("runtime", &C::runtime, text(),
     "OCI runtime such as runsc, by the name that the Engine knows it by, checked at start; empty: "
     "the Engine's default.");
  at("workspace_base_dir", &C::workspace_base_dir, text(),
     "Directory in which each session gets its workspace and home, made at start when it is "
     "missing. The same path for the relay and for the host of the Engine.");
  at("selinux_label", &C::selinux_label,
     choice<SelinuxLabel>({{"none", SelinuxLabel::kNone},
                           {"shared", SelinuxLabel::kShared},
                           {"private", SelinuxLabel::kPrivate}}),
     "On hosts with SELinux: the label of a session's workspace and home. none: as it is; shared: "
     "every container may use it (z); private: only the session's own (Z).");
  at("mount_roots", &C::mount_roots, strings(),
     "Directories at or below which a client may choose its working directory, which is then "
     "mounted read-write at the same path, symbolic links resolved. Empty: always the workspace.");
  at("extra_volumes", &C::extra_volumes, strings(),
     "Further mounts of every container as src:dst[:ro|rw], read-only unless said, with ,z or ,Z "
     "for "
     "SELinux; src is a path "
     "that exists on the Engine's host, or the name of a volume of the Engine.");
  at("auto_remove", &C::auto_remove, flag(),
     "true: when a session has ended, its container and directories are removed. false: both stay, "
     "the container stopped, until you remove them.");
  at("pull_policy", &C::pull_policy,
     choice<PullPolicy>({{"missing", PullPolicy::kMissing},
                         {"always", PullPolicy::kAlways},
                         {"never", PullPolicy::kNever}}),
     "missing: the image is pulled at start, or for a session, when the Engine does not have it. "
     "always: also at every start of the relay, and when a reload names another image. never: it "
     "has to be there.");
  at("pull_timeout", &C::pull_timeout, duration(kSome),
     "Longest time of one pull, which sessions wait for together.");
  at("startup_timeout", &C::startup_timeout, duration(kSome),
     "Longest time from a session's turn to start (waiting for max_concurrent_starts and for a "
     "pull "
     "does not count) to the agent's answer to session/new.");
  at("shutdown_timeout", &C::shutdown_timeout, duration(kNone),
     "Time that an agent has to end after SIGTERM, before SIGKILL; 0: it is killed at once.");
  at("max_concurrent_starts", &C::max_concurrent_starts, count<std::size_t>(0, 10'000),
     "Containers that are made and started at the same time; further sessions wait. 0: twice the "
     "number of cores.");
  at("log_driver", &C::log_driver, text(),
     "The Engine's log driver, which keeps what agents print, prompts and answers included; none: "
     "nothing is kept.");
  at("log_opts", &C::log_opts, string_map(),
     "Options of the log driver. The defaults keep 30 MB of a container; they belong to json-file "
     "and local, other drivers need their own or {}. Not used with none.")
      .secrecy = Secrecy::kMayCarry;
  at("docker_host", &C::docker_host, text(),
     "unix:///path or tcp://host:port of the Engine; empty: DOCKER_HOST, else "
     "unix:///var/run/docker.sock. TLS by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.");
  at("labels", &C::labels, string_map(),
     "Further labels of the containers; names that begin with acp. are the relay's.")
      .secrecy = Secrecy::kMayCarry;
  at("allow_unsafe", &C::allow_unsafe, flag(),
     "true: accepts values that undo the isolation, with a warning: the network of the host, "
     "unconfined profiles, mounting /, /proc, the Docker socket, what is the relay's own, or what "
     "root of the host trusts.");
}

}  // namespace relay::config
