#include "backend/docker/container_spec.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <functional>

namespace relay {
namespace {

namespace json = boost::json;

ContainerOptions plain_options() {
  ContainerOptions options;
  options.image = "img:1";
  return options;
}

ContainerPlan plain_plan() {
  ContainerPlan plan;
  plan.launch.session = SessionId("sess_1");
  plan.instance = "inst";
  plan.created = "2024-01-02T03:04:05Z";
  plan.user = {1000, 1001, "/home/node"};
  plan.directories = session_directories("/base", plan.launch.session);
  plan.working_directory = {"/workspace", "", ""};
  return plan;
}

// A value by its JSON pointer as JSON text; "none" when there is none.
std::string at(const std::string& spec, std::string_view pointer) {
  const json::value whole = json::parse(spec);
  boost::system::error_code failure;
  const json::value* const found = whole.find_pointer(pointer, failure);
  return found == nullptr ? "none" : json::serialize(*found);
}

std::string bind(const std::string& source, const std::string& target, bool read_only) {
  return R"({"Type":"bind","Source":")" + source + R"(","Target":")" + target + R"(","ReadOnly":)" +
         (read_only ? "true" : "false") + R"(,"BindOptions":{"Propagation":"rprivate"}})";
}

const std::string kWorkspaceMount = bind("/base/sess_1/workspace", "/workspace", false);
const std::string kHomeMount = bind("/base/sess_1/home", "/home/node", false);
const std::string kHostsMount = bind("/base/sess_1/hosts", "/etc/hosts", true);

TEST(ContainerSpec, SaysWhatIsTheSameForEveryContainer) {
  const std::string spec = container_spec(plain_options(), plain_plan());
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/Image", R"("img:1")"},
      {"/Hostname", R"("acp-agent-sess_1")"},
      {"/WorkingDir", R"("/workspace")"},
      {"/AttachStdin", "true"},
      {"/AttachStdout", "true"},
      {"/AttachStderr", "true"},
      {"/OpenStdin", "true"},
      {"/StdinOnce", "false"},  // the agent outlives the relay
      {"/Tty", "false"},
      {"/HostConfig/AutoRemove", "false"},  // the relay reads the cause first
      {"/HostConfig/Privileged", "none"},
      {"/HostConfig/Binds", "none"},
  };
  for (const auto& [pointer, wanted] : cases) EXPECT_EQ(at(spec, pointer), wanted) << pointer;
}

TEST(ContainerSpec, SaysNothingAboutWhatIsNotConfigured) {
  ContainerOptions options = plain_options();
  options.network_mode = "bridge";
  options.home = ContainerHome::kImage;
  const std::string spec = container_spec(options, plain_plan());
  for (const std::string_view absent :
       {"/User", "/Entrypoint", "/Cmd", "/NetworkDisabled", "/HostConfig/Memory",
        "/HostConfig/MemorySwap", "/HostConfig/NanoCpus", "/HostConfig/PidsLimit",
        "/HostConfig/Ulimits", "/HostConfig/Runtime"}) {
    EXPECT_EQ(at(spec, absent), "none") << absent;
  }
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + kWorkspaceMount + "]");
  EXPECT_EQ(at(spec, "/HostConfig/Tmpfs"), "{}");
  EXPECT_EQ(at(spec, "/HostConfig/CapDrop"), "[]");
  EXPECT_EQ(at(spec, "/HostConfig/SecurityOpt"), R"(["no-new-privileges"])");
  EXPECT_EQ(at(spec, "/HostConfig/Binds"), "none");
}

TEST(ContainerSpec, PutsTheInitBeforeAProgramThatHasAWayOut) {
  ContainerOptions options = plain_options();
  options.init = true;
  options.home = ContainerHome::kImage;
  options.egress.reach.upstreams = {"anthropic"};
  options.egress.port = 9200;
  options.egress.max_connections = 8;
  ContainerPlan plan = plain_plan();
  plan.program = {"/bin/agent", "--acp"};
  const std::string spec = container_spec(options, plan);
  EXPECT_EQ(at(spec, "/Entrypoint"), R"(["/acp-relay/acp-agent-init"])");
  EXPECT_EQ(at(spec, "/Cmd"), R"(["--listen","127.0.0.1:9200","--socket","/acp-relay/broker.sock",)"
                              R"("--max-connections","8","--","/bin/agent","--acp"])");
  EXPECT_EQ(at(spec, "/HostConfig/Init"), "false");
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"),
            "[" + kWorkspaceMount + "," + kHostsMount + "," +
                bind("/base/sess_1/egress/door", "/acp-relay", true) + "]");
  EXPECT_EQ(spec.find("TINI_KILL_PROCESS_GROUP"), std::string::npos);
  EXPECT_EQ(at(spec, "/Labels/acp.relay.carrier"), "none");
  options.egress.carrier = EgressCarrier::kStdio;
  EXPECT_EQ(at(container_spec(options, plan), "/Labels/acp.relay.carrier"), R"("stdio")");
}

struct Effect {
  std::string_view name;
  std::function<void(ContainerOptions&)> set;
  std::string_view pointer;
  std::string wanted;
};

TEST(ContainerSpec, CarriesEveryOption) {
  const Effect cases[] = {
      {"command",
       [](auto& o) {
         o.command = {"/bin/agent", "--acp", ""};
       },
       "/Entrypoint", R"(["/bin/agent"])"},
      {"command",
       [](auto& o) {
         o.command = {"/bin/agent", "--acp", ""};
       },
       "/Cmd", R"(["--acp",""])"},
      // The image's own arguments must not follow.
      {"command alone", [](auto& o) { o.command = {"/bin/agent"}; }, "/Cmd", "[]"},
      {"memory", [](auto& o) { o.memory_limit = 2u << 30; }, "/HostConfig/Memory", "2147483648"},
      {"swap", [](auto& o) { o.memory_limit = 2u << 30; }, "/HostConfig/MemorySwap", "2147483648"},
      {"large", [](auto& o) { o.memory_limit = std::uint64_t{1} << 40; }, "/HostConfig/Memory",
       "1099511627776"},
      {"cpu", [](auto& o) { o.cpu_limit = 1.5; }, "/HostConfig/NanoCpus", "1500000000"},
      {"cpu rounded", [](auto& o) { o.cpu_limit = 0.29; }, "/HostConfig/NanoCpus", "290000000"},
      {"pids", [](auto& o) { o.pids_limit = 512; }, "/HostConfig/PidsLimit", "512"},
      {"ulimits",
       [](auto& o) {
         o.ulimits = {{"nofile", "1024:2048"}, {"core", "0"}, {"memlock", "-1"}, {"cpu", "5:-1"}};
       },
       "/HostConfig/Ulimits",
       R"([{"Name":"nofile","Soft":1024,"Hard":2048},{"Name":"core","Soft":0,"Hard":0},)"
       R"({"Name":"memlock","Soft":-1,"Hard":-1},{"Name":"cpu","Soft":5,"Hard":-1}])"},
      {"read-only root", [](auto& o) { o.readonly_rootfs = true; }, "/HostConfig/ReadonlyRootfs",
       "true"},
      {"tmpfs",
       [](auto& o) {
         o.tmpfs = {"/tmp", "/run:size=64m,mode=1777"};
       },
       "/HostConfig/Tmpfs", R"({"/tmp":"","/run":"size=64m,mode=1777"})"},
      {"capabilities",
       [](auto& o) {
         o.drop_capabilities = {"NET_RAW", "cap_sys_admin", "all"};
       },
       "/HostConfig/CapDrop", R"(["NET_RAW","SYS_ADMIN","ALL"])"},
      {"security",
       [](auto& o) {
         o.security_opt = {"no-new-privileges", "seccomp=default", "seccomp=builtin",
                           R"(seccomp={"a":1})"};
       },
       "/HostConfig/SecurityOpt", R"(["no-new-privileges","seccomp={\"a\":1}"])"},
      {"security without its main one", [](auto& o) { o.security_opt = {"label=type:x"}; },
       "/HostConfig/SecurityOpt", R"(["no-new-privileges","label=type:x"])"},
      {"security of its own kind", [](auto& o) { o.security_opt = {"no-new-privileges:true"}; },
       "/HostConfig/SecurityOpt", R"(["no-new-privileges:true"])"},
      {"security given up", [](auto& o) { o.security_opt = {"no-new-privileges=false"}; },
       "/HostConfig/SecurityOpt", R"(["no-new-privileges=false"])"},
      {"no user", [](auto&) {}, "/User", "none"},
      {"user", [](auto& o) { o.user = "node:staff"; }, "/User", R"("1000:1001")"},
      {"init", [](auto& o) { o.init = true; }, "/HostConfig/Init", "true"},
      {"no init", [](auto& o) { o.init = false; }, "/HostConfig/Init", "false"},
      {"runtime", [](auto& o) { o.runtime = "runsc"; }, "/HostConfig/Runtime", R"("runsc")"},
      {"log",
       [](auto& o) {
         o.log_opts = {{"max-size", "10m"}, {"max-file", "3"}};
       },
       "/HostConfig/LogConfig",
       R"({"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}})"},
      {"no log",
       [](auto& o) {
         o.log_driver = "none";
         o.log_opts = {{"max-size", "10m"}};
       },
       "/HostConfig/LogConfig", R"({"Type":"none","Config":{}})"},
  };
  for (const Effect& one : cases) {
    ContainerOptions options = plain_options();
    one.set(options);
    EXPECT_EQ(at(container_spec(options, plain_plan()), one.pointer), one.wanted) << one.name;
  }
}

TEST(ContainerSpec, DisablesTheNetworkOnlyWhenThereIsNone) {
  struct Case {
    std::string mode, mode_json, disabled;
    bool hosts;
  };
  const Case cases[] = {{"none", R"("none")", "true", true},
                        {"bridge", R"("bridge")", "none", false},
                        {"host", R"("host")", "none", false},
                        {"my-net", R"("my-net")", "none", false}};
  for (const Case& one : cases) {
    ContainerOptions options = plain_options();
    options.network_mode = one.mode;
    const std::string spec = container_spec(options, plain_plan());
    EXPECT_EQ(at(spec, "/HostConfig/NetworkMode"), one.mode_json);
    EXPECT_EQ(at(spec, "/NetworkDisabled"), one.disabled) << one.mode;
    EXPECT_EQ(spec.find(kHostsMount) != std::string::npos, one.hosts) << one.mode;
  }
}

TEST(ContainerSpec, LabelsCanNotPretendToBeAnotherSession) {
  ContainerOptions options = plain_options();
  options.labels = {{"team", "a"},
                    {"acp.relay", "false"},
                    {"acp.session", "other"},
                    {"acp.created", "never"},
                    {"acp.relay.instance", "other"}};
  EXPECT_EQ(at(container_spec(options, plain_plan()), "/Labels"),
            R"({"team":"a","acp.relay":"true","acp.session":"sess_1",)"
            R"("acp.created":"2024-01-02T03:04:05Z","acp.relay.instance":"inst"})");
}

TEST(ContainerSpec, EnvironmentHasAnOrderOfPrecedence) {
  ContainerOptions options = plain_options();
  options.environment = {{"A", "operator"}, {"B", "operator"}, {"WORKSPACE", "/operator"}};
  ContainerPlan plan = plain_plan();
  plan.launch.environment = {{"B", "client"},      {"C", "a=b c\n"},          {"C", "last=1"},
                             {"SESSION_ID", "no"}, {"AGENT_CONTAINER", "no"}, {"WORKSPACE", "no"},
                             {"HOME", "no"}};
  EXPECT_EQ(at(container_spec(options, plan), "/Env"),
            R"(["A=operator","B=client","C=last=1","HOME=/home/node","SESSION_ID=sess_1",)"
            R"("AGENT_CONTAINER=true","WORKSPACE=/workspace","TINI_KILL_PROCESS_GROUP=1"])");
}

TEST(ContainerSpec, TellsTheInitProgramToEndAllOfAnAgent) {
  ContainerOptions options = plain_options();
  const auto last = [&options] {
    const json::value spec = json::parse(container_spec(options, plain_plan()));
    return std::string(spec.at("Env").as_array().back().as_string());
  };
  EXPECT_EQ(last(), "TINI_KILL_PROCESS_GROUP=1");
  options.init = false;
  EXPECT_EQ(last(), "WORKSPACE=/workspace");
  options.init = true;
  options.environment = {{"TINI_KILL_PROCESS_GROUP", ""}};  // the operator's word stays
  EXPECT_EQ(last(), "WORKSPACE=/workspace");
}

TEST(ContainerSpec, MountsVolumesAsTheyAreConfigured) {
  ContainerOptions options = plain_options();
  options.network_mode = "bridge";
  options.extra_volumes = {{"/host/a", "/a", true},
                           {"/host/b", "/b", false},
                           {"cache", "/c", true},
                           {"data", "/d", false}};
  EXPECT_EQ(at(container_spec(options, plain_plan()), "/HostConfig/Mounts"),
            "[" + kWorkspaceMount + "," + kHomeMount + "," + bind("/host/a", "/a", true) + "," +
                bind("/host/b", "/b", false) +
                R"(,{"Type":"volume","Source":"cache","Target":"/c","ReadOnly":true})"
                R"(,{"Type":"volume","Source":"data","Target":"/d","ReadOnly":false}])");
}

TEST(ContainerSpec, LabelsMountsForSelinuxInTheOlderList) {
  ContainerOptions options = plain_options();
  options.extra_volumes = {{"/host/a", "/a", true, MountLabel::kShared},
                           {"cache", "/c", false, MountLabel::kPrivate},
                           {"/host/b", "/b", true}};
  ContainerPlan plan = plain_plan();
  plan.working_directory = {"/projects/x", "", "/projects/x"};
  const std::string volumes = R"("/host/a:/a:ro,rprivate,z","cache:/c:rw,Z"])";
  std::string spec = container_spec(options, plan);
  EXPECT_EQ(at(spec, "/HostConfig/Binds"), "[" + volumes);
  options.selinux_label = MountLabel::kPrivate;
  spec = container_spec(options, plan);
  EXPECT_EQ(at(spec, "/HostConfig/Binds"), R"(["/base/sess_1/workspace:/workspace:rw,rprivate,Z",)"
                                           R"("/base/sess_1/home:/home/node:rw,rprivate,Z",)"
                                           R"("/base/sess_1/hosts:/etc/hosts:ro,rprivate,Z",)" +
                                               volumes);
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + bind("/projects/x", "/projects/x", false) + "," +
                                                bind("/host/b", "/b", true) + "]");
  spec = helper_spec(options, "inst", {{"remove", "/base/s/home"}, "/base/s", {}});
  EXPECT_EQ(at(spec, "/HostConfig/Binds"), R"(["/base/s:/session:rw,rprivate,z"])");
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[]");
}

TEST(HelperSpec, ReadsWhatItCopiesAndWritesElsewhere) {
  ContainerOptions options;
  const std::string spec = helper_spec(
      options, "inst", {{"copy", "9", "/base/s1/home", "/base/s/home"}, "/base/s", "/base/s1"});
  EXPECT_EQ(at(spec, "/Cmd"), R"(["copy","9","/source/home","/session/home"])");
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + bind("/base/s", "/session", false) + "," +
                                                bind("/base/s1", "/source", true) + "]");
}

TEST(RootWithUpstreams, IsRefusedUnlessSomebodySaysSo) {
  ContainerOptions options;
  options.image = "agent:1";
  EXPECT_FALSE(root_with_upstreams(options, {0, 0, "/root"}));
  options.egress.reach.upstreams = {"own"};
  EXPECT_FALSE(root_with_upstreams(options, {1000, 0, "/home/agent"}));
  const auto failure = root_with_upstreams(options, {0, 0, "/root"});
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->type, ErrorType::kContainerStartFailed);
  EXPECT_NE(failure->explanation.find("container.user"), std::string::npos);
  options.user = "root";
  EXPECT_FALSE(root_with_upstreams(options, {0, 0, "/root"}));
}

TEST(MountedOverHome, NamesTheKeyAndTheCure) {
  const ContainerUser user{1000, 1000, "/home/node"};
  ContainerOptions options;
  EXPECT_FALSE(mounted_over_home(options, user));
  options.extra_volumes = {{"/a", "/home", true}, {"/b", "/home/node/.cache", false}};
  options.tmpfs = {"/tmp", "/home/nod"};
  EXPECT_FALSE(mounted_over_home(options, user));
  options.extra_volumes.push_back({"cache", "/home/./node/", false});
  auto failure = mounted_over_home(options, user);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->explanation.find("container.extra_volumes has an entry for /home/node"), 0U);
  EXPECT_EQ(failure->suggested_actions[0].find("set container.home: image"), 0U);
  options.extra_volumes.clear();
  options.tmpfs = {"/home/node:size=64m"};
  failure = mounted_over_home(options, user);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->explanation.find("container.tmpfs has an entry for /home/node"), 0U);
  options.home = ContainerHome::kImage;
  EXPECT_FALSE(mounted_over_home(options, user));
}

TEST(ContainerSpec, WorksInADirectoryOfTheHost) {
  ContainerPlan plan = plain_plan();
  plan.working_directory = {"/projects/x", "", "/projects/x"};
  const std::string spec = container_spec(plain_options(), plan);
  EXPECT_EQ(at(spec, "/WorkingDir"), R"("/projects/x")");
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + kWorkspaceMount + "," + kHomeMount + "," +
                                                kHostsMount + "," +
                                                bind("/projects/x", "/projects/x", false) + "]");
}

TEST(ContainerSpec, WorksInASubdirectoryOfTheWorkspace) {
  ContainerPlan plan = plain_plan();
  plan.working_directory = {"/workspace/a", "a", ""};
  const std::string spec = container_spec(plain_options(), plan);
  EXPECT_EQ(at(spec, "/WorkingDir"), R"("/workspace/a")");
  EXPECT_EQ(at(spec, "/HostConfig/Mounts"),
            "[" + kWorkspaceMount + "," + kHomeMount + "," + kHostsMount + "]");
}

TEST(ContainerSpec, HomeIsADirectoryMemoryOrTheImages) {
  struct Case {
    ContainerHome home;
    bool mounted;
    std::string tmpfs;
    bool variable;
  };
  const Case cases[] = {
      {ContainerHome::kKeep, true, "{}", true},
      {ContainerHome::kTmpfs, false, R"({"/home/node":"exec,mode=0700,uid=1000,gid=1001"})", true},
      {ContainerHome::kImage, false, "{}", false}};
  for (const Case& one : cases) {
    ContainerOptions options = plain_options();
    options.home = one.home;
    const std::string spec = container_spec(options, plain_plan());
    EXPECT_EQ(spec.find(kHomeMount) != std::string::npos, one.mounted);
    EXPECT_EQ(at(spec, "/HostConfig/Tmpfs"), one.tmpfs);
    EXPECT_EQ(spec.find("HOME=/home/node") != std::string::npos, one.variable);
  }
}

TEST(ContainerSpec, GivesAHomeInMemoryToTheUserInPodmansWords) {
  ContainerOptions options = plain_options();
  options.home = ContainerHome::kTmpfs;
  ContainerPlan plan = plain_plan();
  plan.tmpfs_has_owner = false;
  EXPECT_EQ(at(container_spec(options, plan), "/HostConfig/Tmpfs"),
            R"({"/home/node":"exec,mode=0700,U"})");
}

TEST(ContainerSpec, MountsNothingOverTheWorkspace) {
  for (const ContainerHome home : {ContainerHome::kKeep, ContainerHome::kTmpfs}) {
    ContainerOptions options = plain_options();
    options.home = home;
    ContainerPlan plan = plain_plan();
    plan.user.home = "/workspace/";
    std::string spec = container_spec(options, plan);
    EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + kWorkspaceMount + "," + kHostsMount + "]");
    EXPECT_EQ(at(spec, "/HostConfig/Tmpfs"), "{}");
    EXPECT_EQ(at(spec, "/Env/0"), R"("HOME=/workspace")");
    // Nor over the host's directory that the client wants.
    plan.user.home = "/home/node";
    plan.working_directory = {"/home/node", "", "/home/node"};
    spec = container_spec(options, plan);
    EXPECT_EQ(at(spec, "/HostConfig/Mounts"), "[" + kWorkspaceMount + "," + kHostsMount + "," +
                                                  bind("/home/node", "/home/node", false) + "]");
    EXPECT_EQ(at(spec, "/HostConfig/Tmpfs"), "{}");
  }
}

TEST(HomeInContainer, HidesNoProgramsOfTheImage) {
  const std::pair<std::string, std::string_view> cases[] = {
      {"/root", "/root"},
      {"/home/node", "/home/node"},
      {"/home/node/", "/home/node"},
      {"/home/../data/", "/data"},
      {"/nonexistent", "/nonexistent"},
      {"/var/www", "/var/www"},
      {"/usrdata", "/usrdata"},
      {"/", "/home/agent"},
      {"//", "/home/agent"},
      {"/..", "/home/agent"},
      {"/usr", "/home/agent"},
      {"/usr/sbin", "/home/agent"},
      {"/home/../bin", "/home/agent"},
      {"/dev", "/home/agent"},
      {"/proc/1", "/home/agent"},
  };
  for (const auto& [home, wanted] : cases)
    EXPECT_EQ(home_in_container({0, 0, home}), wanted) << home;
}

TEST(ContainerName, IsTheSessionsAndFitsAHostName) {
  EXPECT_EQ(container_name(SessionId("sess_1")), "acp-agent-sess_1");
  const SessionId session(std::string(80, 'a'));
  EXPECT_EQ(container_name(session).size(), 90U);
  EXPECT_EQ(container_host_name(session).size(), 63U);
}

TEST(ContainerSpec, SurvivesValuesThatNeedEscapes) {
  ContainerOptions options = plain_options();
  options.environment = {{"Q", "\"quoted\\\"\t\x01\xff"}};
  options.labels = {{"a\"b", "\n"}};
  const json::value spec =
      json::parse(container_spec(options, plain_plan()), {}, {.allow_invalid_utf8 = true});
  EXPECT_EQ(spec.at_pointer("/Env/0").as_string(), "Q=\"quoted\\\"\t\x01\xff");
  EXPECT_EQ(spec.at("Labels").at("a\"b").as_string(), "\n");
}

TEST(ProbeSpec, NeverStartsAndIsFoundByItsLabels) {
  const std::string spec = probe_spec("img:1", "inst");
  EXPECT_EQ(at(spec, "/Image"), R"("img:1")");
  EXPECT_EQ(at(spec, "/Entrypoint"), R"(["/never-started"])");
  EXPECT_EQ(at(spec, "/HostConfig/NetworkMode"), R"("none")");
  // Without a session: nobody's leftover.
  EXPECT_EQ(at(spec, "/Labels"), R"({"acp.relay":"true","acp.relay.instance":"inst"})");
}

TEST(HelperSpec, IsRootWithOneDirectoryAndNothingElse) {
  ContainerOptions options;
  options.image = "img:1";
  const std::string spec =
      helper_spec(options, "inst", {{"remove", "/base/s/home"}, "/base/s", {}});
  const std::pair<std::string_view, std::string> cases[] = {
      {"/Image", R"("img:1")"},
      {"/User", R"("0:0")"},
      {"/Entrypoint", R"(["/acp-workspace-helper"])"},
      {"/Cmd", R"(["remove","/session/home"])"},
      {"/NetworkDisabled", "true"},
      {"/Labels", R"({"acp.relay":"true","acp.relay.instance":"inst"})"},
      {"/HostConfig/NetworkMode", R"("none")"},
      {"/HostConfig/Mounts", "[" + bind("/base/s", "/session", false) + "]"},
      {"/HostConfig/CapDrop", R"(["ALL"])"},
      {"/HostConfig/CapAdd", R"(["CHOWN","DAC_OVERRIDE","FOWNER"])"},
      {"/HostConfig/SecurityOpt", R"(["no-new-privileges"])"},
      {"/HostConfig/PidsLimit", "16"},
      {"/HostConfig/LogConfig/Type", R"("none")"},
  };
  for (const auto& [pointer, wanted] : cases) EXPECT_EQ(at(spec, pointer), wanted) << pointer;
}

}  // namespace
}  // namespace relay
