#include "engine/failure.hpp"

#include "engine/refusal_rules.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace relay::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string state_text(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.state) {
    if (key == name && std::holds_alternative<std::string>(value))
      return std::get<std::string>(value);
  }
  return {};
}

http::Endpoint unix_socket() {
  http::Endpoint endpoint;
  endpoint.transport = http::Endpoint::Transport::kUnix;
  endpoint.socket_path = "/var/run/docker.sock";
  return endpoint;
}

struct Failure {
  int number;
  const char* explanation;
  const char* action;  // in one of the suggested actions
  bool retryable;
};

TEST(Unreachable, HasARemedyForEachWay) {
  const Failure table[] = {
      {ENOENT, "the socket does not exist", "systemctl status docker", true},
      {ENOENT, "the socket does not exist", "journalctl -u docker -n 50", true},
      {ENOENT, "unix:///var/run/docker.sock", "container.docker_host or DOCKER_HOST", true},
      {ENOTDIR, "the socket does not exist", "systemctl status docker", true},
      {EACCES, "permission denied", "usermod -aG docker $USER", false},
      {EACCES, "permission denied", "rootless", false},
      {ECONNREFUSED, "connection refused", "systemctl start docker", true},
      {ETIMEDOUT, "did not answer in time (GET /info)", "docker info", true},
      {EPROTO, "no TLS", "DOCKER_CERT_PATH", false},
      {ENXIO, "is not known", "DOCKER_HOST", true},
      {EBADMSG, "is no Docker Engine", "DOCKER_TLS_VERIFY", false},
      {ECONNRESET, "was lost during GET /info", "docker version", true},
      {EMFILE, "the relay has no file descriptors left", "LimitNOFILE", true},
      {ENFILE, "the machine has no file descriptors left", "fs.file-max", true},
      {ENOBUFS, "no room for another connection", "try again in a moment", true},
      {EAGAIN, "no room for another connection", "try again in a moment", true},
      {ENETUNREACH, "can't be reached", "DOCKER_HOST", true},
      {0, "no TLS", "ca.pem", false},
  };
  for (const Failure& row : table) {
    Error failure = make_error(ErrorType::kInternalError, "the text of the client");
    if (row.number != 0) failure.state.emplace_back("errno", std::int64_t{row.number});
    const Error error = unreachable(failure, unix_socket(), "GET /info");
    EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable) << row.explanation;
    EXPECT_THAT(error.explanation, HasSubstr(row.explanation));
    EXPECT_THAT(error.suggested_actions, Contains(HasSubstr(row.action))) << row.explanation;
    EXPECT_EQ(error.recoverable, row.retryable) << row.explanation;
    EXPECT_EQ(state_text(error, "docker_host"), "unix:///var/run/docker.sock");
  }
}

TEST(Unreachable, BlamesNoAddressForWhatTheMachineLacks) {
  for (const int number : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN}) {
    Error failure = make_error(ErrorType::kInternalError, "the text of the client");
    failure.state.emplace_back("errno", std::int64_t{number});
    const Error error = unreachable(failure, unix_socket(), "GET /info");
    EXPECT_THAT(error.suggested_actions, Not(Contains(HasSubstr("docker_host")))) << number;
    EXPECT_THAT(error.suggested_actions, Not(Contains(HasSubstr("systemctl")))) << number;
    EXPECT_FALSE(error.possible_causes.empty()) << number;
  }
}

TEST(NoCommonApi, SaysWhoIsTooOld) {
  EngineVersion engine{"19.03", {1, 40}, {1, 12}, "linux", "amd64", "", false};
  EXPECT_THAT(no_common_api("unix:///x", engine).explanation,
              HasSubstr("too old: version 19.03 speaks API 1.40, and 1.41 (Docker 20.10)"));
  engine = {"99", {1, 90}, {1, 80}, "linux", "amd64", "", false};
  EXPECT_THAT(no_common_api("unix:///x", engine).explanation, HasSubstr("too new"));
  EXPECT_FALSE(no_common_api("unix:///x", engine).recoverable);
}

TEST(ImageMissing, NamesTheCommandsThatHelp) {
  const Error error = image_missing("acp-agent:latest", "No such image: acp-agent:latest");
  EXPECT_EQ(error.type, ErrorType::kImageNotFound);
  EXPECT_THAT(error.explanation, HasSubstr("\"acp-agent:latest\""));
  EXPECT_THAT(error.suggested_actions, Contains("docker images | grep acp-agent:latest"));
  EXPECT_THAT(error.suggested_actions, Contains("docker pull acp-agent:latest"));
  EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("docker/build.sh")));
  EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("container.pull_policy")));
}

TEST(ImageMissing, KnowsWhatMakesTheImagesOfPresets) {
  for (const auto& [image, command] :
       {std::pair("acp-agent-codex:latest", "docker/build.sh codex, "),
        std::pair("acp-agent-codex:1", "docker/build.sh, "),
        std::pair("acp-agent:latest", "docker/build.sh, ")}) {
    EXPECT_THAT(image_missing(image, "").suggested_actions, Contains(HasSubstr(command))) << image;
    EXPECT_THAT(pull_failed(image, "pull access denied for x").suggested_actions,
                Contains(HasSubstr(command)))
        << image;
  }
}

struct FailedPull {
  const char* message;
  ErrorType type;
  const char* action;
};

TEST(PullFailed, TellsTheNetworkFromTheRegistrysNo) {
  const FailedPull table[] = {
      {"Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such "
       "host",
       ErrorType::kDockerNotAvailable, "docker load"},
      {"net/http: TLS handshake timeout", ErrorType::kDockerNotAvailable, "docker load"},
      {"Get \"https://r/v2/\": x509: certificate signed by unknown authority",
       ErrorType::kDockerNotAvailable, "docker load"},
      {"pull access denied for x, repository does not exist or may require 'docker login'",
       ErrorType::kImageNotFound, "docker login"},
      {"manifest for x:1 not found: manifest unknown", ErrorType::kImageNotFound, "docker images"},
      {"toomanyrequests: You have reached your pull rate limit.", ErrorType::kImageNotFound,
       "docker login"},
      {"write /var/lib/x: no space left on device", ErrorType::kImageNotFound, "df -h"},
      {"no matching manifest for linux/arm64 in the manifest list entries",
       ErrorType::kImageNotFound, "container.image"},
  };
  for (const FailedPull& row : table) {
    const Error error = pull_failed("x:1", row.message);
    EXPECT_EQ(error.type, row.type) << row.message;
    EXPECT_THAT(error.explanation, HasSubstr(row.message));
    EXPECT_THAT(error.suggested_actions, Contains(HasSubstr(row.action))) << row.message;
  }
}

struct Refused {
  const char* message;
  const char* key;
};

constexpr const char* kVolumes = "container.extra_volumes or container.workspace_base_dir";

// Texts of Docker 20.10 and later, of Podman 4 and of runc and crun.
TEST(Refused, AreTracedToTheirKeys) {
  const Refused table[] = {
      {"mkdir /var/lib/docker/overlay2/x: no space left on device", ""},
      {"Conflict. The container name \"/a\" is already in use by container \"b\".", ""},
      {"OCI runtime create failed: container_linux.go:380: starting container process caused: "
       "process_linux.go:545: container init caused: setting rlimits for ready process caused: "
       "error setting rlimit type 7: operation not permitted: unknown",
       "container.ulimits"},
      {"crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied",
       "container.ulimits"},
      {"invalid ulimit type: nonsense", "container.ulimits"},
      {"network no-such-network not found", "container.network_mode"},
      {"unable to find network with name or ID x: network not found", "container.network_mode"},
      {"Unknown runtime specified runsc", "container.runtime"},
      {"unknown or invalid runtime name: runsc", "container.runtime"},
      {"default OCI runtime \"runsc\" not found: invalid argument", "container.runtime"},
      {"invalid mount config for type \"bind\": bind source path does not exist: /no/such",
       kVolumes},
      {"statfs /no/such: no such file or directory", kVolumes},
      {"Duplicate mount point: /x", kVolumes},
      {"invalid mount config for type \"bind\": field Target must not be empty", kVolumes},
      {"failed to create task: error mounting \"/a\" to rootfs at \"/b\": not a directory",
       kVolumes},
      {"error mounting \"/a\" to rootfs at \"/b\": mkdir /b: read-only file system",
       "container.readonly_rootfs"},
      {"container rootfs is marked read-only", "container.readonly_rootfs"},
      {"opening seccomp profile (/x.json) failed: open /x.json: no such file or directory",
       "container.security_opt"},
      {"Decoding seccomp profile failed: invalid character", "container.security_opt"},
      {"apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file",
       "container.security_opt"},
      {"invalid --security-opt 2: \"nonsense\"", "container.security_opt"},
      {"Minimum memory limit allowed is 6MB", "container.memory_limit"},
      {"container init was OOM-killed (memory limit too low?)", "container.memory_limit"},
      {"Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
       "container.cpu_limit"},
      {"NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler",
       "container.cpu_limit"},
      {"invalid CapDrop: unknown capability: \"CAP_NONSENSE\"", "container.drop_capabilities"},
      {"invalid capability: \"CAP_NONSENSE\"", "container.drop_capabilities"},
      {"invalid tmpfs option [\"nonsense\"]", "container.tmpfs"},
      {"unknown mount option \"uid=1000\": invalid mount option", "container.tmpfs"},
      {"error looking up logging plugin nonsense: plugin \"nonsense\" not found",
       "container.log_driver"},
      {"logger: no log driver named 'nonsense' is registered", "container.log_driver"},
      {"unknown log opt 'nonsense' for json-file log driver", "container.log_opts"},
      {"unable to find user nonsense: no matching entries in passwd file", "container.user"},
      {"exec: \"/no/such/program\": stat /no/such/program: no such file or directory: unknown",
       "container.command"},
      {"runc create failed: exec /agent: exec format error", "container.command"},
      {"runc: runc create failed: exec: \"/x\": stat /x: no such file or directory: OCI runtime "
       "attempted to invoke a command that was not found",
       "container.command"},
      {"executable file `agent` not found in $PATH: No such file or directory",
       "container.command"},
      {"No command specified", "container.command"},
      {"container-init binary not found on the host: stat /usr/libexec/podman/catatonit",
       "container.init"},
      {"exec: \"docker-init\": executable file not found in $PATH", "container.init"},
      {"cgroups: cgroup mountpoint does not exist: unknown", ""},
  };
  for (const Refused& row : table) {
    const RefusalRule* rule = find_refusal_rule(row.message);
    ASSERT_NE(rule, nullptr) << row.message;
    EXPECT_EQ(rule->key, row.key) << row.message;
    const Error error = refused("create the container", 400, row.message);
    EXPECT_EQ(error.type, ErrorType::kContainerStartFailed);
    EXPECT_THAT(error.explanation, HasSubstr(row.message));
    EXPECT_EQ(state_text(error, "engine_message"), row.message);
    EXPECT_EQ(state_text(error, "key"), row.key);
    EXPECT_THAT(error.state, Contains(std::pair<std::string, StateValue>("engine_status", 400)));
    EXPECT_THAT(error.suggested_actions, Contains(rule->remedy));
  }
}

TEST(Refused, AreSaidEvenWhenNoRuleKnowsThem) {
  EXPECT_EQ(find_refusal_rule("a wholly new complaint"), nullptr);
  EXPECT_EQ(find_refusal_rule(""), nullptr);
  const Error error = refused("start the container", 500, "a wholly new complaint");
  EXPECT_THAT(error.explanation,
              HasSubstr("refuses to start the container: a wholly new complaint"));
  EXPECT_TRUE(error.recoverable);
  EXPECT_FALSE(error.suggested_actions.empty());
}

TEST(Refused, HaveRulesWithCauseAndRemedy) {
  for (const RefusalRule& rule : refusal_rules()) {
    EXPECT_FALSE(rule.part.empty());
    EXPECT_FALSE(rule.cause.empty()) << rule.part;
    EXPECT_FALSE(rule.remedy.empty()) << rule.part;
    EXPECT_TRUE(rule.key.empty() || rule.key.starts_with("container.")) << rule.part;
  }
}

}  // namespace
}  // namespace relay::engine
