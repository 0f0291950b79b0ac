#include "backend/docker/container_spec.hpp"

#include "backend/docker/way_out.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

namespace relay {
namespace {

namespace json = boost::json;

json::array strings(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

json::object map_of(const NameValues& pairs) {
  json::object object;
  for (const auto& [name, value] : pairs) object[name] = value;
  return object;
}

// Then its first process is acp-agent-init, in the place of the Engine's.
bool has_egress(const ContainerOptions& options) { return !options.egress.reach.empty(); }

json::array environment(const ContainerOptions& options, const ContainerPlan& plan) {
  NameValues variables = options.environment;
  const auto set = [&variables](const std::string& name, const std::string& value) {
    std::erase_if(variables, [&](const auto& entry) { return entry.first == name; });
    variables.emplace_back(name, value);
  };
  for (const auto& [name, value] : plan.launch.environment) set(name, value);
  if (options.home != ContainerHome::kImage) set("HOME", home_in_container(plan.user));
  set("SESSION_ID", plan.launch.session.value());
  set("AGENT_CONTAINER", "true");
  set("WORKSPACE", std::string(kWorkspace));
  // The Engine's init program passes SIGTERM to its direct child alone otherwise, which often is a
  // shell or npm that waits for the agent and tells it nothing.
  const std::string whole_group = "TINI_KILL_PROCESS_GROUP";
  const bool is_said =
      std::ranges::any_of(variables, [&](const auto& entry) { return entry.first == whole_group; });
  if (options.init && !has_egress(options) && !is_said) set(whole_group, "1");
  json::array list;
  for (const auto& [name, value] : variables) list.emplace_back(name + "=" + value);
  return list;
}

json::object labels(const ContainerOptions& options, const ContainerPlan& plan) {
  json::object object = map_of(options.labels);
  object[kRelayLabel] = "true";
  object[kSessionLabel] = plan.launch.session.value();
  object[kCreatedLabel] = plan.created;
  object[kInstanceLabel] = plan.instance;
  if (has_egress(options) && options.egress.carrier == EgressCarrier::kStdio) {
    object[kCarrierLabel] = carrier_name(options.egress.carrier);
  }
  return object;
}

// Both lists of the Engine's: only `binds`, the older one, knows labels of SELinux.
struct MountLists {
  json::array mounts;
  json::array binds;
};

// `source`: an absolute path, or the name of a volume.
void add_mount(MountLists& lists, const std::string& source, const std::string& target,
               bool read_only, MountLabel label) {
  const bool is_path = source.starts_with('/');
  if (label != MountLabel::kNone) {
    lists.binds.emplace_back(source + ":" + target + (read_only ? ":ro" : ":rw") +
                             (is_path ? ",rprivate" : "") +
                             (label == MountLabel::kShared ? ",z" : ",Z"));
    return;
  }
  json::object mount{{"Type", is_path ? "bind" : "volume"},
                     {"Source", source},
                     {"Target", target},
                     {"ReadOnly", read_only}};
  // Nor what is mounted below it later, whatever the host says of its own mounts.
  if (is_path) mount["BindOptions"] = {{"Propagation", "rprivate"}};
  lists.mounts.push_back(std::move(mount));
}

// Nothing can be mounted twice at one place: a home that is the workspace, or the client's
// directory of the host, is that.
bool has_own_home(const ContainerPlan& plan) {
  const std::string home = home_in_container(plan.user);
  return home != kWorkspace && home != plan.working_directory.host_mount;
}

MountLists mounts(const ContainerOptions& options, const ContainerPlan& plan) {
  MountLists lists;
  const auto add_own = [&](const std::string& source, const std::string& target, bool read_only) {
    add_mount(lists, source, target, read_only, options.selinux_label);
  };
  add_own(plan.directories.workspace, std::string(kWorkspace), false);
  if (keeps_home(options, plan)) {
    add_own(plan.directories.home, home_in_container(plan.user), false);
  }
  if (options.network_mode == "none") add_own(plan.directories.hosts, "/etc/hosts", true);
  if (has_egress(options)) add_own(plan.directories.door, std::string(kWayOut), true);
  if (!plan.working_directory.host_mount.empty()) {
    // Somebody's project: its labels are not the relay's to change.
    const std::string& path = plan.working_directory.host_mount;
    add_mount(lists, path, path, false, MountLabel::kNone);
  }
  for (const ExtraVolume& volume : options.extra_volumes) {
    add_mount(lists, volume.source, volume.target, volume.read_only, volume.label);
  }
  return lists;
}

json::object tmpfs(const ContainerOptions& options, const ContainerPlan& plan) {
  json::object object;
  for (const std::string& entry : options.tmpfs) {
    const auto colon = entry.find(':');
    object[entry.substr(0, colon)] = colon == std::string::npos ? "" : entry.substr(colon + 1);
  }
  if (options.home == ContainerHome::kTmpfs && has_own_home(plan)) {
    object[home_in_container(plan.user)] =
        plan.tmpfs_has_owner ? "exec,mode=0700,uid=" + std::to_string(plan.user.uid) +
                                   ",gid=" + std::to_string(plan.user.gid)
                             : "exec,mode=0700,U";
  }
  return object;
}

std::int64_t limit_number(std::string_view text) {
  std::int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

json::array ulimits(const ContainerOptions& options) {
  json::array list;
  for (const auto& [name, text] : options.ulimits) {
    const std::string_view whole = text;
    const auto colon = whole.find(':');
    const std::string_view hard = colon == std::string_view::npos ? whole : whole.substr(colon + 1);
    list.push_back({{"Name", name},
                    {"Soft", limit_number(whole.substr(0, colon))},
                    {"Hard", limit_number(hard)}});
  }
  return list;
}

// Upper case without CAP_: what every Engine understands.
json::array capabilities(std::vector<std::string> names) {
  json::array list;
  for (std::string& name : names) {
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    if (name.starts_with("CAP_")) name.erase(0, 4);
    list.emplace_back(name);
  }
  return list;
}

// The Engine's own profile is what it uses when nothing is said. no-new-privileges is in force
// unless an entry says something of it: a list of something else does not drop it.
json::array security(const std::vector<std::string>& options) {
  constexpr std::string_view kNoNewPrivileges = "no-new-privileges";
  json::array list;
  const bool is_said = std::ranges::any_of(
      options, [&](const std::string& option) { return option.starts_with(kNoNewPrivileges); });
  if (!is_said) list.emplace_back(kNoNewPrivileges);
  for (const std::string& option : options) {
    if (option == "seccomp=default" || option == "seccomp=builtin") continue;
    list.emplace_back(option);
  }
  return list;
}

// The driver none takes no options.
json::object log_config(const ContainerOptions& options) {
  json::object config;
  if (options.log_driver != "none") config = map_of(options.log_opts);
  return {{"Type", options.log_driver}, {"Config", std::move(config)}};
}

json::object host_config(const ContainerOptions& options, const ContainerPlan& plan) {
  MountLists mounted = mounts(options, plan);
  json::object host{{"AutoRemove", false},
                    {"Init", options.init && !has_egress(options)},
                    {"NetworkMode", options.network_mode},
                    {"ReadonlyRootfs", options.readonly_rootfs},
                    {"Mounts", std::move(mounted.mounts)},
                    {"Tmpfs", tmpfs(options, plan)},
                    {"CapDrop", capabilities(options.drop_capabilities)},
                    {"SecurityOpt", security(options.security_opt)},
                    {"LogConfig", log_config(options)}};
  if (!mounted.binds.empty()) host["Binds"] = std::move(mounted.binds);
  if (options.memory_limit > 0) {
    host["Memory"] = options.memory_limit;
    host["MemorySwap"] = options.memory_limit;
  }
  if (options.cpu_limit > 0) host["NanoCpus"] = std::llround(options.cpu_limit * 1e9);
  if (options.pids_limit > 0) host["PidsLimit"] = options.pids_limit;
  if (!options.ulimits.empty()) host["Ulimits"] = ulimits(options);
  if (!options.runtime.empty()) host["Runtime"] = options.runtime;
  return host;
}

json::object relay_labels(const std::string& instance) {
  json::object object;
  object[kRelayLabel] = "true";
  object[kInstanceLabel] = instance;
  return object;
}

}  // namespace

std::string container_name(const SessionId& session) { return "acp-agent-" + session.value(); }

std::string container_host_name(const SessionId& session) {
  return container_name(session).substr(0, 63);
}

std::string home_in_container(const ContainerUser& user) {
  static constexpr std::array<std::string_view, 11> kSystem{
      "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr"};
  std::string home = std::filesystem::path(user.home).lexically_normal().string();
  while (home.ends_with('/')) home.pop_back();
  const auto hides = [&home](std::string_view directory) {
    return home == directory || home.starts_with(std::string(directory) + "/");
  };
  return home.empty() || std::ranges::any_of(kSystem, hides) ? "/home/agent" : home;
}

bool keeps_home(const ContainerOptions& options, const ContainerPlan& plan) {
  return options.home == ContainerHome::kKeep && has_own_home(plan);
}

std::optional<Error> mounted_over_home(const ContainerOptions& options, const ContainerUser& user) {
  if (options.home == ContainerHome::kImage) return std::nullopt;
  const std::string home = home_in_container(user);
  const auto is_home = [&home](std::string_view target) {
    std::string clean = std::filesystem::path(target).lexically_normal().string();
    while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
    return clean == home;
  };
  std::string key;
  for (const ExtraVolume& volume : options.extra_volumes) {
    if (is_home(volume.target)) key = "container.extra_volumes";
  }
  for (const std::string& entry : options.tmpfs) {
    if (is_home(entry.substr(0, entry.find(':')))) key = "container.tmpfs";
  }
  if (key.empty() || home == kWorkspace) return std::nullopt;
  return make_error(ErrorType::kContainerStartFailed,
                    key + " has an entry for " + home +
                        ", which is the agent's home, and container.home mounts one there too")
      .suggest("set container.home: image, which leaves that place to " + key)
      .suggest("choose another target in " + key)
      .with("key", key)
      .with("home", home);
}

std::optional<Error> root_with_upstreams(const ContainerOptions& options,
                                         const ContainerUser& user) {
  if (!has_egress(options) || user.uid != 0 || !options.user.empty()) return std::nullopt;
  return make_error(ErrorType::kContainerStartFailed,
                    "the image " + options.image +
                        " runs its agent as root, and an agent with upstreams is root only when "
                        "container.user says so")
      .suggest("set container.user: \"1000:1000\", or give the image a user")
      .suggest("set container.user: root if it has to be")
      .with("key", "container.user")
      .with("image", options.image);
}

std::string container_spec(const ContainerOptions& options, const ContainerPlan& plan) {
  json::object spec{{"Image", options.image},
                    {"Hostname", container_host_name(plan.launch.session)},
                    {"Env", environment(options, plan)},
                    {"Labels", labels(options, plan)},
                    {"WorkingDir", plan.working_directory.inside},
                    {"AttachStdin", true},
                    {"AttachStdout", true},
                    {"AttachStderr", true},
                    {"OpenStdin", true},
                    {"StdinOnce", false},
                    {"Tty", false},
                    {"HostConfig", host_config(options, plan)}};
  if (!options.user.empty()) {
    spec["User"] = std::to_string(plan.user.uid) + ":" + std::to_string(plan.user.gid);
  }
  // Without it the Engine starts two more programs for a network that has nothing but a loopback.
  if (options.network_mode == "none") spec["NetworkDisabled"] = true;
  std::vector<std::string> program = options.command;
  if (has_egress(options)) program = init_arguments(options.egress, plan.program);
  if (!program.empty()) {
    spec["Entrypoint"] = strings({program.front()});
    spec["Cmd"] = strings({program.begin() + 1, program.end()});
  }
  return json::serialize(spec);
}

std::string probe_spec(const std::string& image, const std::string& instance) {
  return json::serialize(json::object{{"Image", image},
                                      {"Entrypoint", strings({"/never-started"})},
                                      {"NetworkDisabled", true},
                                      {"Labels", relay_labels(instance)},
                                      {"HostConfig", {{"NetworkMode", "none"}}}});
}

namespace {

// A path of the host as the helper sees it.
std::string seen_inside(std::string argument, const HelperTask& task) {
  for (const auto& [outside, inside] :
       {std::pair(task.directory, kHelperDirectory), std::pair(task.source, kHelperSource)}) {
    if (outside.empty() || !argument.starts_with(outside + "/")) continue;
    argument.replace(0, outside.size(), inside);
    break;
  }
  return argument;
}

}  // namespace

std::string helper_spec(const ContainerOptions& options, const std::string& instance,
                        const HelperTask& task) {
  json::object host{{"NetworkMode", "none"},
                    {"CapDrop", strings({"ALL"})},
                    {"CapAdd", strings({"CHOWN", "DAC_OVERRIDE", "FOWNER"})},
                    {"SecurityOpt", strings({"no-new-privileges"})},
                    {"PidsLimit", 16},
                    {"LogConfig", {{"Type", "none"}, {"Config", json::object()}}}};
  // Shared at the most: the agent's container labels what it gets anew.
  const bool labelled = options.selinux_label != MountLabel::kNone;
  const MountLabel label = labelled ? MountLabel::kShared : MountLabel::kNone;
  MountLists only;
  add_mount(only, task.directory, std::string(kHelperDirectory), false, label);
  if (!task.source.empty()) {
    add_mount(only, task.source, std::string(kHelperSource), true, label);
  }
  std::vector<std::string> arguments = task.arguments;
  for (std::string& argument : arguments) argument = seen_inside(argument, task);
  host["Mounts"] = std::move(only.mounts);
  if (labelled) host["Binds"] = std::move(only.binds);
  return json::serialize(json::object{{"Image", options.image},
                                      {"User", "0:0"},
                                      {"Entrypoint", strings({std::string(kHelperProgram)})},
                                      {"Cmd", strings(arguments)},
                                      {"WorkingDir", "/"},
                                      {"NetworkDisabled", true},
                                      {"Labels", relay_labels(instance)},
                                      {"HostConfig", std::move(host)}});
}

}  // namespace relay
