// What a real Engine can't be made to do. The rest is tested against a real one (tests/docker).
#include "engine/client.hpp"

#include "engine/testing/run_task.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::run;
using testing::ScriptedEngine;
using Answer = ScriptedEngine::Answer;

http::Endpoint at(const std::string& path) {
  http::Endpoint endpoint;
  endpoint.transport = http::Endpoint::Transport::kUnix;
  endpoint.socket_path = path;
  return endpoint;
}

// The limit of a connection is that of /version, too.
Task<std::shared_ptr<EngineClient>> make_client(http::Endpoint endpoint,
                                                std::chrono::milliseconds call_timeout = 30s,
                                                std::chrono::milliseconds connect_timeout = 30s) {
  const auto executor = co_await asio::this_coro::executor;
  EngineOptions options;
  options.connect_timeout = connect_timeout;
  options.call_timeout = call_timeout;
  co_return std::make_shared<EngineClient>(executor, endpoint, options);
}

bool asks_version(const std::string& line) { return line.starts_with("GET /version "); }

// Answers /version as Docker 20.10 does, and everything else with `answer`.
ScriptedEngine::Script always(Answer answer) {
  return [answer](const std::string& line) {
    return asks_version(line) ? ScriptedEngine::version("1.41", "1.12") : answer;
  };
}

// What info() fails with.
Error failure_of_info(const http::Endpoint& endpoint, std::chrono::milliseconds call_timeout = 30s,
                      std::chrono::milliseconds connect_timeout = 30s) {
  Error error;
  run([&]() -> Task<void> {
    const auto client = co_await make_client(endpoint, call_timeout, connect_timeout);
    const Result<EngineInfo> info = co_await client->info();
    EXPECT_FALSE(info);
    if (!info) error = info.error();
  });
  return error;
}

TEST(EngineClient, SaysThatThereIsNoSocket) {
  const Error error = failure_of_info(at("/no/such/docker.sock"));
  EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable);
  EXPECT_THAT(error.explanation, HasSubstr("the socket does not exist"));
}

TEST(EngineClient, SaysThatNobodyListens) {
  const std::string path =
      ::testing::TempDir() + "relay_engine_nobody_" + std::to_string(::getpid());
  std::ofstream(path) << "no socket at all";
  const Error error = failure_of_info(at(path));
  EXPECT_THAT(error.explanation, HasSubstr("connection refused"));
  std::filesystem::remove(path);
}

TEST(EngineClient, GivesUpOnAnEngineThatHangs) {
  ScriptedEngine silent([](const std::string&) { return Answer{}; });
  const Error error = failure_of_info(at(silent.path()), 30s, 50ms);
  EXPECT_THAT(error.explanation, HasSubstr("(GET /version)"));
}

TEST(EngineClient, GivesUpOnAnAnswerThatStops) {
  ScriptedEngine slow(always({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ID\":", false}));
  const Error error = failure_of_info(at(slow.path()), 50ms);
  EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable);
  EXPECT_THAT(error.explanation, HasSubstr("did not answer in time (GET /info)"));
  // What was sent is read also later, when the client has given up.
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (slow.lines().size() < 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  // The time-out is no reason to ask again.
  EXPECT_THAT(slow.lines(), ElementsAre(HasSubstr("/version"), HasSubstr("/v1.41/info")));
}

TEST(EngineClient, ExplainsWhatIsNoEngine) {
  const std::pair<Answer, const char*> table[] = {
      {{"SSH-2.0-OpenSSH\r\n\r\n", true}, "is no Docker Engine"},
      {{"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", true},
       "HTTPS server"},
      {ScriptedEngine::json(404, "page not found"), "HTTP status 404"},
      {ScriptedEngine::json(200, "<html>"), "is no Docker Engine"},
      {ScriptedEngine::json(200, "{}"), "ApiVersion"},
      {ScriptedEngine::version("1.40", "1.12"), "too old"},
      {ScriptedEngine::version("1.90", "1.80"), "too new"},
      {{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", true}, "was lost"},
      {{"", true}, "was lost"},
  };
  for (const auto& [answer, explanation] : table) {
    const Answer said = answer;
    ScriptedEngine engine([said](const std::string&) { return said; });
    const Error error = failure_of_info(at(engine.path()));
    EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable) << answer.bytes;
    EXPECT_THAT(error.explanation, HasSubstr(explanation));
    EXPECT_FALSE(error.suggested_actions.empty());
  }
}

TEST(EngineClient, SpeaksTheNewestVersionThatBothKnow) {
  ScriptedEngine engine([](const std::string& line) {
    return asks_version(line) ? ScriptedEngine::version("1.51", "1.44")
                              : ScriptedEngine::json(200, "{}");
  });
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const Result<EngineInfo> info = co_await client->info();
    RELAY_NEED(info);
    const Result<EngineInfo> again = co_await client->info();
    RELAY_NEED(again);
  });
  EXPECT_THAT(engine.lines(), ElementsAre(HasSubstr(" /version "), HasSubstr(" /v1.44/info "),
                                          HasSubstr(" /v1.44/info ")));
}

TEST(EngineClient, AsksAgainWhenTheEngineIsAnotherOne) {
  std::atomic<bool> is_old = false;
  ScriptedEngine engine([&](const std::string& line) {
    if (asks_version(line)) return ScriptedEngine::version(is_old ? "1.41" : "1.43", "1.12");
    if (is_old && line.find("/v1.43/") != std::string::npos) {
      return ScriptedEngine::json(
          400, R"({"message":"client version 1.43 is too new. Maximum supported is 1.41"})");
    }
    return ScriptedEngine::json(line.find("/wait") == std::string::npos ? 200 : 404, "{}");
  });
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const Result<EngineInfo> before = co_await client->info();
    RELAY_NEED(before);
    is_old = true;
    const Result<EngineInfo> after = co_await client->info();
    RELAY_NEED(after);
    is_old = false;
    const Result<EngineVersion> version = co_await client->connect();
    RELAY_NEED(version);
    is_old = true;
    const Result<ExitWatch> stream = co_await client->watch_exit("x");
    EXPECT_FALSE(stream);
  });
  EXPECT_THAT(
      engine.lines(),
      ElementsAre(HasSubstr(" /version "), HasSubstr(" /v1.43/info "), HasSubstr(" /v1.43/info "),
                  HasSubstr(" /version "), HasSubstr(" /v1.41/info "), HasSubstr(" /version "),
                  HasSubstr(" /v1.43/containers/x/wait"), HasSubstr(" /version "),
                  HasSubstr(" /v1.41/containers/x/wait")));
}

TEST(EngineClient, AsksForAVersionOnlyOnceMore) {
  ScriptedEngine engine(
      always(ScriptedEngine::json(400, R"({"message":"client version 1.41 is too old."})")));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const auto container = co_await client->inspect("x");
    EXPECT_FALSE(container);
  });
  EXPECT_EQ(engine.lines().size(), 4u);
}

TEST(EngineClient, KnowsThatAContainerIsGoneInPodmansWords) {
  ScriptedEngine engine(always(ScriptedEngine::json(
      500, R"({"message":"container x does not exist in database: no such container"})")));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const auto container = co_await client->inspect("x");
    EXPECT_TRUE(container && !*container);
  });
}

TEST(EngineClient, RepeatsCallsButNeverCreate) {
  std::atomic<int> calls = 0;
  ScriptedEngine engine([&](const std::string& line) -> Answer {
    if (asks_version(line)) return ScriptedEngine::version("1.41", "1.12");
    // The second call on a connection finds it closed without an answer.
    if (++calls == 2 || line.starts_with("POST")) return {"", true};
    return ScriptedEngine::json(200, "[]");
  });
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const std::vector<std::string> labels;
    const auto first = co_await client->list(labels);
    RELAY_NEED(first);
    const auto second = co_await client->list(labels);
    RELAY_NEED(second);
    const Result<std::string> created = co_await client->create_container("name", "{}");
    EXPECT_FALSE(created);
    if (created) co_return;
    EXPECT_EQ(created.error().type, ErrorType::kDockerNotAvailable);
  });
  const std::vector<std::string> lines = engine.lines();
  EXPECT_EQ(std::ranges::count_if(lines, [](const auto& line) { return line.starts_with("POST"); }),
            1);
}

TEST(EngineClient, SendsNothingThatIsNoName) {
  ScriptedEngine engine(always(ScriptedEngine::json(200, "{}")));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const std::string bad = "../../info?x=";
    const auto inspected = co_await client->inspect(bad);
    const auto attached = co_await client->attach(bad);
    const auto watched = co_await client->watch_exit(bad);
    const auto started = co_await client->start(bad);
    const auto killed = co_await client->kill(bad, "TERM");
    const auto signalled = co_await client->kill("good", "TERM&x=1");
    const auto removed = co_await client->remove(bad);
    const auto used = co_await client->usage(bad);
    const auto read = co_await client->read_file(bad, "/etc/passwd", 10);
    const auto put = co_await client->put_program(bad, "/", "x", "");
    const auto put_name = co_await client->put_program("good", "/", "../x", "");
    const auto created = co_await client->create_container(bad, "{}");
    const auto image = co_await client->inspect_image(bad);
    const std::function<void(const PullLine&)> silent;
    const auto pulled = co_await client->pull(bad, 1s, silent);
    EXPECT_FALSE(inspected || attached || watched || started || killed || signalled || removed ||
                 used || read || put || put_name || created || image || pulled);
    EXPECT_FALSE(client->remove_now(bad));
  });
  EXPECT_TRUE(engine.lines().empty());
}

TEST(EngineClient, AttachesToAHijackedAnswerToo) {
  ScriptedEngine engine(always(
      {"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nbytes", false}));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    Result<std::unique_ptr<http::Stream>> stream = co_await client->attach("x");
    RELAY_NEED(stream);
    const Result<std::string> bytes = co_await (*stream)->read_some();
    RELAY_NEED(bytes);
    EXPECT_EQ(*bytes, "bytes");
    const Result<void> written = co_await (*stream)->write("input");
    EXPECT_TRUE(written) << testing::why(written);
  });
}

TEST(EngineClient, RunsAnotherCommandInAContainer) {
  ScriptedEngine engine([](const std::string& line) -> ScriptedEngine::Answer {
    if (asks_version(line)) return ScriptedEngine::version("1.41", "1.12");
    if (line.find("/exec/e1/start") != std::string::npos) {
      return {"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nbytes", false};
    }
    if (line.find("/containers/stopped/") != std::string::npos) {
      return ScriptedEngine::json(409, R"({"message":"container stopped is not running"})");
    }
    const bool is_odd = line.find("/containers/odd/") != std::string::npos;
    return ScriptedEngine::json(201, is_odd ? R"({"Id":"../x"})" : R"({"Id":"e1"})");
  });
  run([&]() -> Task<void> {
    const std::vector<std::string> command{"a", "b c"};
    const auto client = co_await make_client(at(engine.path()));
    Result<std::unique_ptr<http::Stream>> stream = co_await client->exec("x", command);
    RELAY_NEED(stream);
    const Result<std::string> bytes = co_await (*stream)->read_some();
    RELAY_NEED(bytes);
    EXPECT_EQ(*bytes, "bytes");
    const auto stopped = co_await client->exec("stopped", command);
    EXPECT_EQ(stopped.error().type, ErrorType::kContainerStartFailed);
    EXPECT_THAT(stopped.error().explanation, HasSubstr("is not running"));
    const auto odd = co_await client->exec("odd", command);
    const auto bad = co_await client->exec("../x", command);
    EXPECT_FALSE(odd || bad);
  });
}

struct Pull {
  const char* lines;
  bool succeeds;
  ErrorType type = ErrorType::kImageNotFound;
};

TEST(EngineClient, TellsAnObserverOfEveryCallAndHowItWent) {
  struct Case {
    Answer answer;
    std::optional<CallFailure> failure;
  };
  const Case table[] = {
      {ScriptedEngine::json(200, "{}"), std::nullopt},
      {ScriptedEngine::json(404, "{}"), CallFailure::kNotFound},
      {ScriptedEngine::json(409, "{}"), CallFailure::kRefused},
      {ScriptedEngine::json(500, "{}"), CallFailure::kFailed},
      {{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", false}, CallFailure::kTimeout},
  };
  for (const Case& row : table) {
    ScriptedEngine engine(always(row.answer));
    std::vector<CallOutcome> seen;
    run([&]() -> Task<void> {
      const auto executor = co_await asio::this_coro::executor;
      EngineOptions options;
      options.connect_timeout = 30s;
      if (row.failure == CallFailure::kTimeout) options.call_timeout = 100ms;
      options.observe = [&seen](const CallOutcome& outcome) { seen.push_back(outcome); };
      EngineClient client(executor, at(engine.path()), options);
      [[maybe_unused]] const auto facts = co_await client.inspect("c");
    });
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].call, Call::kVersion);
    EXPECT_EQ(seen[0].failure, std::nullopt);
    EXPECT_EQ(seen[1].call, Call::kInspect);
    EXPECT_EQ(seen[1].failure, row.failure);
    EXPECT_GT(seen[1].took.count(), 0);
  }
}

TEST(EngineClient, TellsAnObserverThatNobodyIsThere) {
  std::vector<CallOutcome> seen;
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    EngineOptions options;
    options.observe = [&seen](const CallOutcome& outcome) { seen.push_back(outcome); };
    EngineClient client(executor, at("/no/such/docker.sock"), options);
    [[maybe_unused]] const auto info = co_await client.info();
  });
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].failure, CallFailure::kUnreachable);
}

TEST(EngineClient, PullsUntilTheLastLine) {
  const Pull table[] = {
      {"{\"status\":\"Pulling\"}\r\n{\"status\":\"Done\"}\r\n", true},
      {"{\"status\":\"Pulling\"}{\"status\":\"Done\"}", true},
      {"{\"status\":\"Pulling\"}\r\n{\"error\":\"manifest unknown\"}\r\n{\"status\":\"x\"}", false},
      {"{\"status\":\"Pulling\"}\r\n{\"error\":\"dial tcp: i/o timeout\"}", false,
       ErrorType::kDockerNotAvailable},
      {"{\"status\":\"Pulling\"}{nonsense}", false, ErrorType::kInternalError},
  };
  for (const Pull& row : table) {
    ScriptedEngine engine(always(ScriptedEngine::json(200, row.lines)));
    run([&]() -> Task<void> {
      const auto client = co_await make_client(at(engine.path()));
      int told = 0;
      const std::function<void(const PullLine&)> progress = [&told](const PullLine&) { ++told; };
      const Result<void> pulled = co_await client->pull("r.io/a:1", 5s, progress);
      EXPECT_EQ(pulled.has_value(), row.succeeds) << row.lines;
      EXPECT_GE(told, 1) << row.lines;
      if (!pulled) {
        EXPECT_EQ(pulled.error().type, row.type) << row.lines;
      }
    });
    EXPECT_THAT(engine.lines().back(), HasSubstr("create?fromImage=r.io%2Fa&tag=1 "));
  }
}

TEST(EngineClient, GivesUpOnAPullThatNeverBegins) {
  ScriptedEngine engine([](const std::string& line) {
    return line.starts_with("POST /") ? Answer{} : ScriptedEngine::version("1.41", "1.12");
  });
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    const std::function<void(const PullLine&)> silent;
    const Result<void> pulled = co_await client->pull("a", 50ms, silent);
    EXPECT_FALSE(pulled);
    if (pulled) co_return;
    EXPECT_THAT(pulled.error().explanation, HasSubstr("was not pulled within 50 ms"));
  });
}

TEST(EngineClient, GivesUpOnAPullThatStops) {
  ScriptedEngine engine(always({"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"Pulling\"}", false}));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    int told = 0;
    const std::function<void(const PullLine&)> progress = [&told](const PullLine&) { ++told; };
    // On a busy machine a short time may be over before the answer has begun.
    for (auto limit = 50ms; told == 0 && limit < 20s; limit *= 2) {
      const Result<void> pulled = co_await client->pull("a", limit, progress);
      EXPECT_FALSE(pulled);
      if (pulled) co_return;
      if (told == 0) continue;
      EXPECT_THAT(pulled.error().explanation,
                  HasSubstr("was not pulled within " + std::to_string(limit.count()) + " ms"));
    }
    EXPECT_EQ(told, 1);
  });
}

TEST(EngineClient, WatchesAnExitInPieces) {
  const std::pair<const char*, int> table[] = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Sta\r\n10\r\ntusCode\":   "
       "12}\n"
       "\r\n0\r\n\r\n",
       12},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", -1},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", -1},
      {"HTTP/1.1 200 OK\r\n\r\n{\"StatusCode\":", -1},
  };
  for (const auto& [bytes, code] : table) {
    ScriptedEngine engine(always({bytes, true}));
    run([&]() -> Task<void> {
      const auto client = co_await make_client(at(engine.path()));
      Result<ExitWatch> watch = co_await client->watch_exit("x");
      RELAY_NEED(watch);
      const Result<int> ended = co_await watch->wait();
      EXPECT_EQ(ended.value_or(-1), code);
    });
  }
}

TEST(EngineClient, ReadsEventsUntilTheEngineGoes) {
  ScriptedEngine engine(always(
      {"HTTP/1.1 200 OK\r\n\r\n{\"Action\":\"start\"}{nonsense}\n{\"Action\":\"die\"}\n{\"Act",
       true}));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    Result<EventStream> events = co_await client->events("a=b");
    RELAY_NEED(events);
    std::vector<std::string> actions;
    for (;;) {
      const auto some = co_await events->next();
      if (!some) {
        EXPECT_EQ(some.error().type, ErrorType::kDockerNotAvailable);
        break;
      }
      for (const EngineEvent& event : *some) actions.push_back(event.action);
    }
    EXPECT_THAT(actions, ElementsAre("start", "die"));
  });
}

TEST(EngineClient, EndsAnEventWithoutEnd) {
  const std::string huge = "{\"a\":\"" + std::string(2u << 20, 'x');
  ScriptedEngine engine(always({"HTTP/1.1 200 OK\r\n\r\n" + huge, true}));
  run([&]() -> Task<void> {
    const auto client = co_await make_client(at(engine.path()));
    Result<EventStream> events = co_await client->events("a=b");
    RELAY_NEED(events);
    const auto some = co_await events->next();
    EXPECT_FALSE(some);
    if (some) co_return;
    EXPECT_THAT(some.error().explanation, HasSubstr("longer than 1 MiB"));
  });
}

TEST(EngineClient, LeavesNoDescriptorsBehind) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = count();
  {
    ScriptedEngine engine(always(ScriptedEngine::json(200, "{}")));
    run([&]() -> Task<void> {
      const auto client = co_await make_client(at(engine.path()));
      const auto info = co_await client->info();
      Result<ExitWatch> watch = co_await client->watch_exit("x");
      const bool sent = client->remove_now("x");
      EXPECT_TRUE(sent);
    });
  }
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace relay::engine
