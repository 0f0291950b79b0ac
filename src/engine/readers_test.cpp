#include "engine/readers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ReadVersion, TakesDockersAndPodmans) {
  const auto docker = read_version(
      R"({"Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"20.10.24"}],)"
      R"("Version":"20.10.24+dfsg1","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux",)"
      R"("Arch":"amd64","KernelVersion":"6.1.0"})");
  ASSERT_TRUE(docker);
  EXPECT_EQ(docker->version, "20.10.24+dfsg1");
  EXPECT_EQ(docker->api, (ApiVersion{1, 41}));
  EXPECT_EQ(docker->min_api, (ApiVersion{1, 12}));
  EXPECT_EQ(docker->architecture, "amd64");
  EXPECT_FALSE(docker->podman);
  const auto podman = read_version(
      R"({"Components":[{"Name":"Podman Engine","Version":"4.3.1"},{"Name":"Conmon"}],)"
      R"("Version":"4.3.1","ApiVersion":"1.41","MinAPIVersion":"1.24"})");
  ASSERT_TRUE(podman);
  EXPECT_TRUE(podman->podman);
}

TEST(ReadVersion, RefusesWhatIsNoVersion) {
  for (const char* api : {R"("")", R"("1")", R"("1.")", R"(".1")", R"("1.41x")", R"("-1.2")",
                          R"("1.99999999999")", "1.41", "null", "[]"}) {
    const auto version = read_version(std::string(R"({"ApiVersion":)") + api + "}");
    EXPECT_FALSE(version) << api;
  }
}

TEST(ReadInfo, TellsWhatTheHostCanLimit) {
  const auto info = read_info(
      R"({"ID":"6WIO","Driver":"overlay2","MemoryLimit":true,"SwapLimit":true,"CpuCfsQuota":true,)"
      R"("PidsLimit":true,"CgroupDriver":"cgroupfs","CgroupVersion":"1","NCPU":2,)"
      R"("MemTotal":25276514304,"DockerRootDir":"/var/lib/docker","Name":"vm",)"
      R"("Runtimes":{"io.containerd.runc.v2":{"path":"runc"},"runc":{"path":"runc"}},)"
      R"("DefaultRuntime":"runc","SecurityOptions":["name=seccomp,profile=default"],)"
      R"("Warnings":["WARNING: IPv4 forwarding is disabled"]})");
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->memory_limit && info->swap_limit && info->cpu_cfs_quota && info->pids_limit);
  EXPECT_EQ(info->total_memory, 25276514304);
  EXPECT_EQ(info->cpus, 2);
  EXPECT_THAT(info->runtimes, ElementsAre("io.containerd.runc.v2", "runc"));
  EXPECT_THAT(info->security_options, ElementsAre("name=seccomp,profile=default"));
  EXPECT_EQ(info->warnings.size(), 1u);
  const auto bare = read_info(R"({"CPUCfsQuota":true,"SecurityOptions":null,"NCPU":"2"})");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->cpu_cfs_quota);
  EXPECT_FALSE(bare->memory_limit);
  EXPECT_EQ(bare->cpus, 0);
}

TEST(ReadImage, TakesTheConfiguration) {
  const auto image = read_image(
      R"({"Id":"sha256:3a75","RepoTags":["a:1"],"RepoDigests":["a@sha256:00"],"Size":1990000,)"
      R"("Config":{"User":"agent","WorkingDir":"/workspace","Env":["PATH=/bin",1],)"
      R"("Entrypoint":null,"Cmd":["/agent","-v"]}})");
  ASSERT_TRUE(image);
  EXPECT_EQ(image->id, "sha256:3a75");
  EXPECT_EQ(image->user, "agent");
  EXPECT_EQ(image->working_directory, "/workspace");
  EXPECT_THAT(image->environment, ElementsAre("PATH=/bin"));
  EXPECT_TRUE(image->entrypoint.empty());
  EXPECT_THAT(image->command, ElementsAre("/agent", "-v"));
  EXPECT_EQ(image->size, 1990000);
}

TEST(ReadContainer, TakesTheState) {
  const auto exited = read_container(
      R"({"Id":"e58a","Name":"/probe","Image":"sha256:3a75","State":{"Status":"exited",)"
      R"("Running":false,"OOMKilled":true,"Dead":false,"Pid":0,"ExitCode":137,"Error":"why"},)"
      R"("Config":{"WorkingDir":"/work","Labels":{"who":"me"}},)"
      R"("HostConfig":{"LogConfig":{"Type":"local","Config":{}}}})");
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->working_directory, "/work");
  EXPECT_EQ(exited->label("who"), "me");
  EXPECT_EQ(exited->label("whose"), "");
  EXPECT_EQ(exited->log_driver, "local");
  EXPECT_EQ(exited->id, "e58a");
  EXPECT_EQ(exited->name, "probe");
  EXPECT_TRUE(exited->state.oom_killed);
  EXPECT_EQ(exited->state.exit_code, 137);
  EXPECT_EQ(exited->state.error, "why");
  const auto podman = read_container(
      R"({"Id":"e58a","Name":"probe","State":{"Status":"stopped","ExitCode":1e40}})");
  ASSERT_TRUE(podman);
  EXPECT_EQ(podman->state.status, "stopped");
  EXPECT_EQ(podman->state.exit_code, 0);
  EXPECT_EQ(podman->log_driver, "");
}

TEST(ReadList, TakesNamesAndLabels) {
  const auto list = read_list(R"([{"Id":"e58a","Names":["/probe"],"Image":"i:1","State":"exited",)"
                              R"("Labels":{"eng":"probe","empty":"","odd":1},"Mounts":[]},)"
                              R"({"Id":"0f","Names":null,"Labels":null}])");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->front().name, "probe");
  EXPECT_EQ(list->front().state, "exited");
  EXPECT_EQ(list->front().label("eng"), "probe");
  EXPECT_EQ(list->front().label("odd"), "");
  EXPECT_TRUE(list->back().labels.empty());
  EXPECT_TRUE(read_list("[]")->empty());
  EXPECT_FALSE(read_list(R"([{"Names":["/x"]}])"));
  EXPECT_FALSE(read_list("{}"));
}

struct Usage {
  const char* json;
  std::int64_t memory, limit, pids, pids_limit;  // -1: not said
};

std::int64_t or_minus(const std::optional<std::uint64_t>& value) {
  return value ? static_cast<std::int64_t>(*value) : -1;
}

struct Traffic {
  const char* json;
  std::int64_t cpu, received, sent, read, written;
};

TEST(ReadUsage, AddsUpWhatWasUsedSinceTheStart) {
  const Traffic table[] = {
      {R"({"cpu_stats":{"cpu_usage":{"total_usage":1500}},"networks":{"eth0":{"rx_bytes":10,)"
       R"("tx_bytes":20},"eth1":{"rx_bytes":1,"tx_bytes":2}},"blkio_stats":)"
       R"({"io_service_bytes_recursive":[{"op":"Read","value":7},{"op":"Write","value":8},)"
       R"({"op":"Read","value":3},{"op":"Sync","value":99},{"op":"Total","value":99}]}})",
       1500, 11, 22, 10, 8},
      {R"({"blkio_stats":{"io_service_bytes_recursive":[{"op":"read","value":7},)"
       R"({"op":"write","value":8}]}})",
       -1, -1, -1, 7, 8},
      {R"({"blkio_stats":{"io_service_bytes_recursive":[]},"networks":{}})", -1, -1, -1, 0, 0},
      {R"({"blkio_stats":{"io_service_bytes_recursive":null},"networks":null})", -1, -1, -1, -1,
       -1},
      {R"({"cpu_stats":{"cpu_usage":{"total_usage":0}},"networks":{"eth0":{}}})", -1, -1, -1, -1,
       -1},
      {R"({"cpu_stats":{"cpu_usage":{"total_usage":-5}},"networks":{"eth0":[1]}})", -1, -1, -1, -1,
       -1},
      {R"({"cpu_stats":[],"networks":[],"blkio_stats":{"io_service_bytes_recursive":[1,{}]}})", -1,
       -1, -1, 0, 0},
  };
  for (const Traffic& row : table) {
    const auto usage = read_usage(row.json);
    ASSERT_TRUE(usage) << row.json;
    EXPECT_EQ(usage->cpu_time ? usage->cpu_time->count() : -1, row.cpu) << row.json;
    EXPECT_EQ(or_minus(usage->network_received_bytes), row.received) << row.json;
    EXPECT_EQ(or_minus(usage->network_sent_bytes), row.sent) << row.json;
    EXPECT_EQ(or_minus(usage->disk_read_bytes), row.read) << row.json;
    EXPECT_EQ(or_minus(usage->disk_written_bytes), row.written) << row.json;
  }
}

TEST(ReadContainer, KnowsWhenItWasStarted) {
  const struct {
    const char* started;
    const char* read;
  } table[] = {{"2026-01-31T08:15:30.123456789Z", "2026-01-31T08:15:30.123Z"},
               {"0001-01-01T00:00:00Z", nullptr},
               {"", nullptr}};
  for (const auto& row : table) {
    const auto container =
        read_container(R"({"Id":"c","State":{"StartedAt":")" + std::string(row.started) + "\"}}");
    ASSERT_TRUE(container);
    ASSERT_EQ(container->state.started_at.has_value(), row.read != nullptr) << row.started;
    if (row.read != nullptr) {
      EXPECT_EQ(to_rfc3339(*container->state.started_at), row.read);
    }
  }
}

TEST(ReadUsage, TakesBothKindsOfControlGroups) {
  const Usage table[] = {
      {R"({"pids_stats":{"current":3,"limit":512},"memory_stats":{"usage":5000,"limit":9000,)"
       R"("stats":{"inactive_file":1,"total_inactive_file":2000}}})",
       3000, 9000, 3, 512},
      {R"({"pids_stats":{"current":3,"limit":18446744073709551615},"memory_stats":{"usage":5000,)"
       R"("limit":18446744073709551615,"stats":{"inactive_file":1000}}})",
       4000, -1, 3, -1},
      {R"({"memory_stats":{"usage":5000,"stats":{"inactive_file":6000}}})", 5000, -1, -1, -1},
      {R"({"memory_stats":{"usage":5000}})", 5000, -1, -1, -1},
      {R"({"pids_stats":{},"memory_stats":{}})", -1, -1, -1, -1},
      {R"({"pids_stats":{"current":-3},"memory_stats":{"usage":"5000"}})", -1, -1, -1, -1},
      {R"({"pids_stats":[],"memory_stats":null})", -1, -1, -1, -1},
  };
  for (const Usage& row : table) {
    const auto usage = read_usage(row.json);
    ASSERT_TRUE(usage) << row.json;
    EXPECT_EQ(or_minus(usage->memory_bytes), row.memory) << row.json;
    EXPECT_EQ(or_minus(usage->memory_limit_bytes), row.limit) << row.json;
    EXPECT_EQ(or_minus(usage->pids), row.pids) << row.json;
    EXPECT_EQ(or_minus(usage->pids_limit), row.pids_limit) << row.json;
  }
  const auto throttled =
      read_usage(R"({"cpu_stats":{"throttling_data":{"periods":10,"throttled_periods":4}}})");
  ASSERT_TRUE(throttled);
  EXPECT_EQ(throttled->cpu_periods, 10u);
  EXPECT_EQ(throttled->cpu_throttled_periods, 4u);
}

TEST(ReadWait, TakesTheExitCode) {
  EXPECT_EQ(read_wait(R"({"Error":null,"StatusCode":127})").value_or(-5), 127);
  EXPECT_EQ(read_wait(R"({"StatusCode":-1})").value_or(-5), -1);
  EXPECT_EQ(read_wait(R"({"StatusCode":99999999999})").value_or(-5), 2147483647);
  EXPECT_FALSE(read_wait(R"({"Error":{"Message":"x"}})"));
  EXPECT_FALSE(read_wait(R"({"StatusCode":"1"})"));
}

TEST(ReadEvent, TakesActionActorAndExitCode) {
  const auto die = read_event(
      R"({"status":"die","id":"e58a","from":"i:1","Type":"container","Action":"die","Actor":)"
      R"({"ID":"e58a","Attributes":{"eng":"probe","exitCode":"137","name":"n"}},"time":1})");
  ASSERT_TRUE(die);
  EXPECT_EQ(die->action, "die");
  EXPECT_EQ(die->container_id, "e58a");
  EXPECT_EQ(die->exit_code, 137);
  EXPECT_EQ(die->attributes.size(), 3u);
  const auto podman =
      read_event(R"({"Action":"died","Actor":{"ID":"e5","Attributes":{"containerExitCode":"1"}}})");
  ASSERT_TRUE(podman);
  EXPECT_EQ(podman->action, "die");
  EXPECT_EQ(podman->exit_code, 1);
  const auto odd = read_event(R"({"Action":"die","Actor":{"Attributes":{"exitCode":"1x"}}})");
  ASSERT_TRUE(odd);
  EXPECT_FALSE(odd->exit_code);
  EXPECT_FALSE(read_event(R"({"Actor":{"ID":"e5"}})"));
}

TEST(ReadPullLine, TakesProgressAndErrors) {
  const auto progress = read_pull_line(
      R"({"status":"Downloading","progressDetail":{"current":10,"total":20},"id":"a1b2"})");
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->layer, "a1b2");
  EXPECT_EQ(progress->current, 10);
  EXPECT_EQ(progress->total, 20);
  EXPECT_EQ(progress->error, "");
  const auto error = read_pull_line(R"({"errorDetail":{"message":"denied\n"},"error":"other"})");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, "denied");
  EXPECT_EQ(read_pull_line(R"({"error":"manifest unknown"})")->error, "manifest unknown");
  EXPECT_NE(read_pull_line(R"({"error":{}})")->error, "");
  EXPECT_EQ(read_pull_line(R"({"error":null,"progressDetail":{"current":-7}})")->current, 0);
}

TEST(Refusal, IsTheMessageOrTheBodyInOneLine) {
  EXPECT_EQ(refusal(R"({"message":"No such container: x\n"})"), "No such container: x");
  EXPECT_EQ(refusal(R"({"cause":"no such image","message":"No such image: x","response":404})"),
            "No such image: x");
  EXPECT_EQ(refusal("404 page\r\n\tnot found\n"), "404 page not found");
  EXPECT_EQ(refusal(R"({"message":5})"), R"({"message":5})");
  EXPECT_EQ(refusal(std::string("\0\x1b[1m\xff", 6)), "??[1m?");
  EXPECT_LE(refusal(std::string(5000, 'x')).size(), 510u);
  const std::string accents = R"({"message":")" + std::string(1999, 'x') + "\xc3\xa9\xc3\xa9\"}";
  EXPECT_EQ(refusal(accents), std::string(1999, 'x') + "...");
}

TEST(Readers, BearAnything) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  const std::string deep_objects = [] {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += R"({"State":)";
    return text;
  }();
  const std::string inputs[] = {"",
                                "null",
                                "[]",
                                "{}",
                                "1",
                                "\"x\"",
                                "{",
                                "{]",
                                "\xff",
                                "1e999",
                                "{}{}",
                                "[1]",
                                "[{}]",
                                deep,
                                deep_objects,
                                R"({"Id":1,"State":[]})",
                                R"({"StatusCode":1e300})"};
  for (const std::string& input : inputs) {
    const auto version = read_version(input);
    const auto info = read_info(input);
    const auto image = read_image(input);
    const auto created = read_created(input);
    const auto container = read_container(input);
    const auto list = read_list(input);
    const auto usage = read_usage(input);
    const auto wait = read_wait(input);
    const auto event = read_event(input);
    const auto pull = read_pull_line(input);
    EXPECT_FALSE(version || image || created || container || event) << input.substr(0, 50);
    for (const Error* error : {version ? nullptr : &version.error(), wait ? nullptr : &wait.error(),
                               info ? nullptr : &info.error(), list ? nullptr : &list.error(),
                               usage ? nullptr : &usage.error(), pull ? nullptr : &pull.error()}) {
      if (error == nullptr) continue;
      EXPECT_THAT(error->explanation, HasSubstr("makes no sense"));
      EXPECT_FALSE(error->suggested_actions.empty());
      EXPECT_LE(error->details.size(), 510u);
    }
    EXPECT_LE(refusal(input).size(), 2010u);
  }
}

}  // namespace
}  // namespace relay::engine
