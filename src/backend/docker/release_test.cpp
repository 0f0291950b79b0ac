// Sessions that are released and go on: with the real acp-workspace-helper behind a script that
// does as the test wants, and an Engine that makes no container.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/test_directory.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace relay {
namespace {

using engine::testing::ScriptedEngine;

constexpr std::chrono::seconds kHangs(60);

class ReleaseTest : public testing::Test {
 protected:
  ReleaseTest()
      : engine_([this](const std::string& line) { return answer(line); }),
        host_(io_.get_executor(), endpoint(), "instance", 1, Logger::silent()) {
    // Fails for a session of which there is a file stuck.ID; waits while there is one named held.
    const std::string script = "#!/bin/sh\ncd " + directory_.path() +
                               "\nfor file in stuck.*; do\n"
                               "  [ -e $file ] || continue\n"
                               "  case \"$*\" in */${file#stuck.}/*) exit 1;; esac\n"
                               "done\n"
                               ": > began\n"
                               "while [ -e held ]; do sleep 0.01; done\n"
                               "exec " RELAY_BINARY_DIR "/acp-workspace-helper \"$@\"\n";
    options_.helper_program = directory_.write("helper", script);
    ::chmod(options_.helper_program.c_str(), 0755);
    options_.image = "image";
    options_.workspace_base_dir = directory_ / "base";
    options_.pull_policy = ImagePull::kNever;
    options_.home = ContainerHome::kTmpfs;
    options_.user = std::to_string(::geteuid()) + ":" + std::to_string(::getegid());
  }

  void SetUp() override {
    run([this]() -> Task<void> {
      KeepOfSession keep = [](SessionId) -> Task<Keep> { co_return Keep::kNothing; };
      auto opened =
          co_await DockerBackend::open(host_, options_, std::move(keep), Logger::silent());
      if (opened) backend_ = std::move(*opened);
      EXPECT_TRUE(opened) << opened.error().explanation;
    });
    ASSERT_NE(backend_, nullptr);
  }
  void TearDown() override {
    remove("held");
    if (backend_) run([this] { return backend_->shut_down(); });
  }

  ScriptedEngine::Answer answer(const std::string& line) {
    if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
    if (line.find("/images/") != std::string::npos) {
      return ScriptedEngine::json(200, R"({"Id":"sha256:1","Config":{"Cmd":["agent"]}})");
    }
    if (line.starts_with("DELETE ") && line.find("/acp-agent-") != std::string::npos) {
      ++removed_;
      return ScriptedEngine::json(204, "");
    }
    if (line.find("/containers/acp-agent-") != std::string::npos) {
      const std::scoped_lock lock(found_is_used_);
      if (!found_.empty()) {
        const std::string body = found_.front();
        if (found_.size() > 1) found_.erase(found_.begin());
        if (body.empty()) return ScriptedEngine::json(500, R"({"message":"busy"})");
        return ScriptedEngine::json(200, body);
      }
    }
    if (line.find("/containers/json") != std::string::npos) return ScriptedEngine::json(200, "[]");
    if (line.find("?name=acp-relay-probe-") != std::string::npos) {
      return ScriptedEngine::json(201, R"({"Id":"probe"})");
    }
    if (line.find("?name=acp-agent-") != std::string::npos) {
      ++starts_;
      return ScriptedEngine::json(500, R"({"message":"no container today"})");
    }
    return ScriptedEngine::json(404, R"({"message":"no such container"})");
  }

  http::Endpoint endpoint() const {
    http::Endpoint made;
    made.transport = http::Endpoint::Transport::kUnix;
    made.socket_path = engine_.path();
    return made;
  }

  void run(std::function<Task<void>()> body) {
    auto done = asio::co_spawn(io_, std::move(body), asio::use_future);
    run_until(
        [&done] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  }
  void run_until(const std::function<bool()>& happened) {
    io_.restart();
    const auto deadline = std::chrono::steady_clock::now() + kHangs;
    while (!happened() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(happened()) << "it hangs";
  }

  // The error that a start ends with: the Engine's own when nothing was in its way.
  ErrorType launch(const std::string& session) {
    ErrorType type = ErrorType::kInternalError;
    run([this, &session, &type]() -> Task<void> {
      LaunchSpec spec;
      spec.session = SessionId(session);
      const auto launched = co_await backend_->launch(std::move(spec));
      EXPECT_FALSE(launched);
      if (!launched) type = launched.error().type;
    });
    return type;
  }
  void release(const std::string& session) {
    run([this, &session] { return backend_->release(SessionId(session)); });
  }
  // A session with something in its workspace, whose agent has ended.
  void make(const std::string& session) {
    EXPECT_EQ(launch(session), ErrorType::kContainerStartFailed);
    directory_.write(work_of(session), "of hours");
  }
  static std::string work_of(const std::string& session) {
    return "base/" + session + "/workspace/work";
  }
  void remove(const std::string& name) { std::filesystem::remove(directory_ / name); }

  const TestDirectory directory_;
  std::atomic<int> starts_ = 0;
  std::atomic<int> removed_ = 0;
  // What the Engine answers, one after another, to who asks for the container; empty: an error.
  std::vector<std::string> found_;
  std::mutex found_is_used_;
  ScriptedEngine engine_;
  asio::io_context io_;
  DockerHost host_;
  ContainerOptions options_;
  std::unique_ptr<DockerBackend> backend_;
};

std::string container(const char* instance, const char* status) {
  return R"({"Id":"c1","Config":{"Labels":{"acp.session":"sess_1","acp.relay.instance":")" +
         std::string(instance) + R"("}},"State":{"Status":")" + status + R"("}})";
}

TEST_F(ReleaseTest, OfAnAgentThatIsNotWantedAnyMoreRemovesItsOwnContainerAlone) {
  struct Row {
    std::vector<std::string> found;
    bool auto_remove;
    int removed;
  };
  for (const Row& row : {Row{{container("instance", "running")}, true, 1},
                         Row{{"", container("instance", "running")}, true, 1},
                         Row{{container("another", "running")}, true, 0},
                         Row{{"", container("another", "running")}, true, 0},
                         Row{{container("instance", "running")}, false, 1},
                         Row{{container("instance", "exited")}, false, 0}}) {
    ContainerOptions options = options_;
    options.auto_remove = row.auto_remove;
    backend_->take(std::make_shared<const ContainerOptions>(options));
    removed_ = 0;
    {
      const std::scoped_lock lock(found_is_used_);
      found_ = row.found;
    }
    run([this] { return backend_->end_unwanted(SessionId("sess_1")); });
    EXPECT_EQ(removed_, row.removed) << row.found.back() << row.auto_remove;
  }
}

TEST_F(ReleaseTest, IsWaitedForByAnAgentThatIsToGoOn) {
  make("sess_1");
  directory_.write("held", "");
  asio::co_spawn(io_, backend_->release(SessionId("sess_1")), asio::detached);
  run_until([this] { return directory_.has("began"); });
  ContainerOptions hasty = options_;
  hasty.startup_timeout = std::chrono::milliseconds(100);
  backend_->take(std::make_shared<const ContainerOptions>(hasty));
  EXPECT_EQ(launch("sess_1"), ErrorType::kWorkspaceUnavailable) << "as long as it may";
  EXPECT_EQ(starts_, 1);
  backend_->take(std::make_shared<const ContainerOptions>(options_));
  remove("held");
  EXPECT_EQ(launch("sess_1"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 2) << "who had given up starts nothing";
  EXPECT_FALSE(directory_.has(work_of("sess_1")));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

TEST_F(ReleaseTest, IsDoneBeforeAnAgentWorksInWhatCouldNotBeRemoved) {
  make("sess_1");
  directory_.write("stuck.sess_1", "");
  release("sess_1");
  launch("sess_1");
  EXPECT_EQ(starts_, 1) << "it is refused";
  remove("stuck.sess_1");
  EXPECT_EQ(launch("sess_1"), ErrorType::kContainerStartFailed);
  EXPECT_EQ(starts_, 2);
  EXPECT_FALSE(directory_.has(work_of("sess_1")));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

// Both are due in the same round, this one first.
TEST_F(ReleaseTest, IsNotTriedAgainOnceTheSessionGoesOn) {
  for (const char* session : {"sess_1", "sess_2"}) {
    make(session);
    directory_.write(std::string("stuck.") + session, "");
    release(session);
  }
  remove("stuck.sess_1");
  make("sess_1");
  remove("stuck.sess_2");
  run_until([this] { return !directory_.has("base/sess_2"); });
  EXPECT_EQ(directory_.read(work_of("sess_1")), "of hours");
}

}  // namespace
}  // namespace relay
