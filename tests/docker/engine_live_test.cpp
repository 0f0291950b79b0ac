// The Engine client against a real Engine: the one of DOCKER_HOST.
#include "demo_image.hpp"
#include "engine/client.hpp"
#include "engine/stream_demuxer.hpp"
#include "engine/testing/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::run;

std::string state_text(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.state) {
    if (key == name && std::holds_alternative<std::string>(value))
      return std::get<std::string>(value);
  }
  return {};
}

class EngineLive : public DemoImageTest {
 protected:
  void TearDown() override {
    if (!is_ready()) return;
    run([]() -> Task<void> {
      const auto client = co_await make_client();
      const std::vector<std::string> labels{label()};
      const auto left = co_await client->list(labels);
      RELAY_NEED(left);
      for (const ContainerSummary& container : *left) {
        const Result<void> removed = co_await client->remove(container.id);
        EXPECT_TRUE(removed) << testing::why(removed);
      }
    });
  }

  static Task<std::shared_ptr<EngineClient>> make_client() {
    const auto executor = co_await asio::this_coro::executor;
    co_return std::make_shared<EngineClient>(executor, endpoint_, EngineOptions());
  }

  static std::string label() { return "relay.engine.test=" + tag_; }
  static std::string name(std::string_view what) {
    return "relay-" + tag_ + "-" + std::string(what);
  }

  // `more` are further members of the object, each with a comma before it.
  static std::string body(const std::string& host_config = "", const std::string& more = "") {
    return R"({"Image":")" + image() +
           R"(","OpenStdin":true,"StdinOnce":false,"AttachStdin":true,)" +
           R"("AttachStdout":true,"AttachStderr":true,"NetworkDisabled":true,)" +
           R"("Labels":{"relay.engine.test":")" + tag_ + R"("},)" +
           R"("HostConfig":{"NetworkMode":"none")" + host_config + "}" + more + "}";
  }
};

// Reads stdout until it holds `wanted`, for ten seconds at most.
Task<std::string> read_stdout(EngineClient&, http::Stream& stream, std::string_view wanted) {
  StreamDemuxer demuxer;
  std::string out;
  while (out.find(wanted) == std::string::npos) {
    const Result<std::string> bytes = co_await stream.read_some();
    if (!bytes || bytes->empty()) break;
    std::string_view left = *bytes;
    for (;;) {
      const StreamDemuxer::Piece piece = demuxer.next(left);
      if (piece.bytes.empty()) break;
      if (piece.source == StreamDemuxer::Source::kStdout) out += piece.bytes;
    }
    EXPECT_FALSE(demuxer.failed());
  }
  co_return out;
}

Task<bool> wait_for_action(EventStream& events, std::string_view id, std::string_view action,
                           EngineEvent& found) {
  for (;;) {
    const Result<std::vector<EngineEvent>> some = co_await events.next();
    if (!some) co_return false;
    for (const EngineEvent& event : *some) {
      if (event.container_id != id || event.action != action) continue;
      found = event;
      co_return true;
    }
  }
}

TEST_F(EngineLive, TellsItsVersionAndAbilities) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<EngineVersion> version = co_await client->connect();
    RELAY_NEED(version);
    EXPECT_GE(version->api, (ApiVersion{1, 41}));
    EXPECT_EQ(version->os, "linux");
    const Result<EngineInfo> info = co_await client->info();
    RELAY_NEED(info);
    EXPECT_GT(info->cpus, 0);
    EXPECT_GT(info->total_memory, 0);
    EXPECT_FALSE(info->storage_driver.empty());
    EXPECT_THAT(info->runtimes, Contains(info->default_runtime));
  });
}

TEST_F(EngineLive, KnowsAnImageAndMissesAnother) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<ImageFacts> facts = co_await client->inspect_image(image());
    RELAY_NEED(facts);
    EXPECT_THAT(facts->id, HasSubstr("sha256:"));
    EXPECT_THAT(facts->environment, Contains("COLOUR=green"));
    EXPECT_THAT(facts->command, Contains("/acp-demo-agent"));
    EXPECT_GT(facts->size, 10000);
    const Result<ImageFacts> by_id = co_await client->inspect_image(facts->id);
    RELAY_NEED(by_id);
    const Result<ImageFacts> missing = co_await client->inspect_image("no/such-image:1");
    EXPECT_FALSE(missing);
    if (missing) co_return;
    EXPECT_EQ(missing.error().type, ErrorType::kImageNotFound);
    EXPECT_THAT(missing.error().suggested_actions, Contains("docker pull no/such-image:1"));
  });
}

TEST_F(EngineLive, RunsAnAgentFromCreateToRemove) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    Result<EventStream> events = co_await client->events(label());
    RELAY_NEED(events);
    const Result<std::string> id = co_await client->create_container(name("whole"), body());
    RELAY_NEED(id);
    Result<std::unique_ptr<http::Stream>> stream = co_await client->attach(*id);
    RELAY_NEED(stream);
    Result<ExitWatch> watch = co_await client->watch_exit(*id);
    RELAY_NEED(watch);
    const auto before = co_await client->usage(*id);
    RELAY_NEED(before);
    EXPECT_FALSE(before->has_value());
    // Written before the start: nothing is lost.
    const Result<void> written = co_await (*stream)->write(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}})"
        "\n");
    RELAY_NEED(written);
    const Result<void> started = co_await client->start(*id);
    RELAY_NEED(started);
    const Result<void> again = co_await client->start(*id);
    EXPECT_TRUE(again) << testing::why(again);
    const std::string answer = co_await read_stdout(*client, **stream, "\n");
    EXPECT_THAT(answer, HasSubstr("protocolVersion"));

    const auto running = co_await client->inspect(*id);
    RELAY_NEED(running);
    EXPECT_TRUE(running->has_value() && (*running)->state.running);
    EXPECT_TRUE(running->has_value() && (*running)->name == name("whole"));
    const auto usage = co_await client->usage(*id);
    RELAY_NEED(usage);
    EXPECT_TRUE(usage->has_value() && (*usage)->memory_bytes.value_or(0) > 0);
    EXPECT_TRUE(usage->has_value() && (*usage)->pids.value_or(0) > 0);

    const Result<bool> killed = co_await client->kill(*id, "KILL");
    RELAY_NEED(killed);
    EXPECT_TRUE(*killed);
    const std::string rest = co_await read_stdout(*client, **stream, "never said");
    EXPECT_EQ(rest, "");
    const Result<int> code = co_await watch->wait();
    RELAY_NEED(code);
    EXPECT_EQ(*code, 137);
    EngineEvent died;
    const bool was_told = co_await wait_for_action(*events, *id, "die", died);
    EXPECT_TRUE(was_told);
    EXPECT_EQ(died.exit_code, 137);
    EXPECT_THAT(died.attributes,
                Contains(std::pair<std::string, std::string>("relay.engine.test", tag_)));

    const auto ended = co_await client->inspect(*id);
    RELAY_NEED(ended);
    EXPECT_TRUE(ended->has_value() && !(*ended)->state.running);
    EXPECT_TRUE(ended->has_value() && (*ended)->state.exit_code == 137);
    const Result<bool> killed_again = co_await client->kill(*id, "KILL");
    RELAY_NEED(killed_again);
    EXPECT_FALSE(*killed_again);
    const Result<void> removed = co_await client->remove(*id);
    RELAY_NEED(removed);
    const Result<void> removed_again = co_await client->remove(*id);
    EXPECT_TRUE(removed_again) << testing::why(removed_again);
    const auto gone = co_await client->inspect(*id);
    RELAY_NEED(gone);
    EXPECT_FALSE(gone->has_value());
    const Result<bool> kill_gone = co_await client->kill(*id, "KILL");
    RELAY_NEED(kill_gone);
    EXPECT_FALSE(*kill_gone);
  });
}

TEST_F(EngineLive, FindsContainersByEveryLabel) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<std::string> id = co_await client->create_container(name("listed"), body());
    RELAY_NEED(id);
    const std::vector<std::string> own{label(), "relay.engine.test"};
    const auto found = co_await client->list(own);
    RELAY_NEED(found);
    EXPECT_EQ(found->size(), 1u);
    for (const ContainerSummary& container : *found) {
      EXPECT_EQ(container.id, *id);
      EXPECT_EQ(container.name, name("listed"));
      EXPECT_EQ(container.state, "created");
      EXPECT_EQ(container.label("relay.engine.test"), tag_);
      EXPECT_EQ(container.label("other"), "");
    }
    const std::vector<std::string> other{label(), "relay.engine.test=\"x&y\""};
    const auto none = co_await client->list(other);
    RELAY_NEED(none);
    EXPECT_TRUE(none->empty());
  });
}

TEST_F(EngineLive, CarriesFilesInAndOut) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<std::string> id = co_await client->create_container(name("files"), body());
    RELAY_NEED(id);
    const std::string content(100'000, 'p');
    const Result<void> put = co_await client->put_program(*id, "/dev", "helper", content);
    RELAY_NEED(put);
    const auto back = co_await client->read_file(*id, "/dev/helper", 200'000);
    RELAY_NEED(back);
    EXPECT_EQ(back->value_or(""), content);
    const auto cut = co_await client->read_file(*id, "/dev/helper", 1000);
    EXPECT_FALSE(cut);
    const auto large = co_await client->read_file(*id, "/acp-demo-agent", 1000);
    EXPECT_FALSE(large);
    const auto missing = co_await client->read_file(*id, "/etc/no such file", 1000);
    RELAY_NEED(missing);
    EXPECT_FALSE(missing->has_value());
    const auto directory = co_await client->read_file(*id, "/etc", 100'000);
    RELAY_NEED(directory);
    EXPECT_FALSE(directory->has_value());
    const Result<void> nowhere = co_await client->put_program(*id, "/no/where", "helper", "x");
    EXPECT_FALSE(nowhere);
  });
}

TEST_F(EngineLive, RemovesWithoutWaiting) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<std::string> id = co_await client->create_container(name("now"), body());
    RELAY_NEED(id);
    const Result<void> started = co_await client->start(*id);
    RELAY_NEED(started);
    Result<EventStream> events = co_await client->events(label());
    RELAY_NEED(events);
    EXPECT_TRUE(client->remove_now(*id));
    EngineEvent destroyed;
    const bool was_told = co_await wait_for_action(*events, *id, "destroy", destroyed);
    EXPECT_TRUE(was_told);
    const auto gone = co_await client->inspect(*id);
    RELAY_NEED(gone);
    EXPECT_FALSE(gone->has_value());
    EXPECT_FALSE(client->remove_now("a/b"));
  });
}

TEST_F(EngineLive, SaysThatTheImageOfANewContainerIsMissing) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const std::string no_image = R"({"Image":"no/such-image"})";
    const Result<std::string> id = co_await client->create_container(name("none"), no_image);
    EXPECT_FALSE(id);
    if (id) co_return;
    EXPECT_EQ(id.error().type, ErrorType::kImageNotFound);
    EXPECT_THAT(id.error().explanation, HasSubstr("no/such-image"));
  });
}

TEST_F(EngineLive, SaysThatNoRegistryCanBeReached) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<void> pulled =
        co_await client->pull("localhost:1/no/such-image", 20s, [](const PullLine&) {});
    EXPECT_FALSE(pulled);
    if (pulled) co_return;
    EXPECT_EQ(pulled.error().type, ErrorType::kDockerNotAvailable) << pulled.error().explanation;
    EXPECT_THAT(pulled.error().explanation, HasSubstr("localhost:1"));
  });
}

struct Refused {
  const char* what;
  const char* host_config;
  const char* more;
  const char* key;
};

// Every one of them is refused by create or by start.
TEST_F(EngineLive, TracesRefusalsToTheirKeys) {
  static const Refused table[] = {
      {"command", "", R"(,"Cmd":["/no/such/program"])", "container.command"},
      {"ulimit", R"(,"Ulimits":[{"Name":"nofile","Soft":2000000000,"Hard":2000000000}])", "",
       "container.ulimits"},
      {"ulimit-name", R"(,"Ulimits":[{"Name":"nonsense","Soft":1,"Hard":1}])", "",
       "container.ulimits"},
      {"network", R"(,"NetworkMode":"no-such-network")", R"(,"NetworkDisabled":false)",
       "container.network_mode"},
      {"runtime", R"(,"Runtime":"no-such-runtime")", "", "container.runtime"},
      {"bind", R"(,"Mounts":[{"Type":"bind","Source":"/no/such/dir","Target":"/x"}])", "",
       "container.extra_volumes or container.workspace_base_dir"},
      {"twice",
       R"(,"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x"},)"
       R"({"Type":"bind","Source":"/tmp","Target":"/x"}])",
       "", "container.extra_volumes or container.workspace_base_dir"},
      {"seccomp", R"(,"SecurityOpt":["seccomp={nonsense"])", "", "container.security_opt"},
      {"security", R"(,"SecurityOpt":["nonsense"])", "", "container.security_opt"},
      {"memory", R"(,"Memory":1000000)", "", "container.memory_limit"},
      {"cpus", R"(,"NanoCpus":999000000000)", "", "container.cpu_limit"},
      {"capability", R"(,"CapDrop":["NONSENSE"])", "", "container.drop_capabilities"},
      {"tmpfs", R"(,"Tmpfs":{"/t":"nonsense"})", "", "container.tmpfs"},
      {"log-opt", R"(,"LogConfig":{"Type":"json-file","Config":{"nonsense":"1"}})", "",
       "container.log_opts"},
      {"user", "", R"(,"User":"nonsense")", "container.user"},
  };
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    for (const Refused& row : table) {
      const std::string asked = body(row.host_config, row.more);
      const Result<std::string> id = co_await client->create_container(name(row.what), asked);
      Error error;
      if (id) {
        const Result<void> started = co_await client->start(*id);
        EXPECT_FALSE(started) << row.what;
        if (!started) error = started.error();
      } else {
        error = id.error();
      }
      EXPECT_EQ(error.type, ErrorType::kContainerStartFailed) << row.what;
      EXPECT_EQ(state_text(error, "key"), row.key) << error.explanation;
      EXPECT_NE(state_text(error, "engine_message"), "") << row.what;
    }
  });
}

TEST_F(EngineLive, KnowsThatANameIsTaken) {
  run([]() -> Task<void> {
    const auto client = co_await make_client();
    const Result<std::string> id = co_await client->create_container(name("twin"), body());
    RELAY_NEED(id);
    const Result<std::string> twin = co_await client->create_container(name("twin"), body());
    EXPECT_FALSE(twin);
    if (twin) co_return;
    EXPECT_THAT(twin.error().possible_causes, Contains("another container has this name"));
    const Result<std::string> broken = co_await client->create_container(name("bad"), "{nonsense");
    EXPECT_FALSE(broken);
  });
}

}  // namespace
}  // namespace relay::engine
