// For tests: a backend with the real acp-workspace-helper behind a script that does as the test
// wants, and an Engine that has one image and makes no container.
#pragma once

#include "backend/docker/docker_backend.hpp"
#include "backend/docker/test_directory.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay {

class DockerBackendTest : public testing::Test {
 protected:
  using ScriptedEngine = engine::testing::ScriptedEngine;

  static constexpr std::chrono::seconds kHangs{60};

  DockerBackendTest()
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
    run([this] { return host_.shut_down(); });
  }

  ScriptedEngine::Answer answer(const std::string& line) {
    if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
    if (line.starts_with("POST ") && line.find("/images/create?") != std::string::npos) {
      return {};  // and nothing comes
    }
    if (line.find("/images/absent/") != std::string::npos) {
      return ScriptedEngine::json(404, R"({"message":"No such image"})");
    }
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
    if (line.find("/containers/silent?") != std::string::npos) return {};
    if (line.find("/containers/json") != std::string::npos) {
      const std::scoped_lock lock(found_is_used_);
      return ScriptedEngine::json(200, listed_);
    }
    if (line.find("?name=acp-relay-probe-") != std::string::npos) {
      return ScriptedEngine::json(201, R"({"Id":"probe"})");
    }
    if (line.find("?name=acp-agent-") != std::string::npos) {
      ++starts_;
      if (loses_creations_) return {.bytes = {}, .close = true};
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
    ASSERT_NO_FATAL_FAILURE(run_until(
        [&done] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
    done.get();  // throws what it threw
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
  std::atomic<bool> loses_creations_ = false;  // the Engine's answers to them
  // What the Engine answers, one after another, to who asks for the container; empty: an error.
  std::vector<std::string> found_;
  std::string listed_ = "[]";  // to who asks for all; the container "silent" is never removed
  std::mutex found_is_used_;   // and what is listed
  ScriptedEngine engine_;
  asio::io_context io_;
  DockerHost host_;
  ContainerOptions options_;
  std::unique_ptr<DockerBackend> backend_;
};

}  // namespace relay
