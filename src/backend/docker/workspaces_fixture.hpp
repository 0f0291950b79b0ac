// For tests: workspaces in a directory of their own, with the real acp-workspace-helper.
#pragma once

#include "backend/docker/test_directory.hpp"
#include "backend/docker/workspaces.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace relay {

class WorkspacesTest : public testing::Test {
 protected:
  WorkspacesTest() {
    options_.image = "img";
    options_.workspace_base_dir = directory_ / "base";
    options_.helper_program = RELAY_BINARY_DIR "/acp-workspace-helper";
    endpoint_.transport = http::Endpoint::Transport::kUnix;
    endpoint_.socket_path = directory_ / "no.sock";
    client_ = std::make_unique<engine::EngineClient>(io_.get_executor(), endpoint_,
                                                     engine::EngineOptions{});
    maker_ =
        std::make_unique<ContainerMaker>(io_.get_executor(), *client_, "one", Logger::silent());
    // Root gives the directories to someone else, another user can do that to nobody but himself.
    if (::geteuid() != 0) user_ = {::geteuid(), ::getegid(), "/home/me"};
  }
  ~WorkspacesTest() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child process is left";
  }

  Workspaces of(std::string instance) {
    return {io_.get_executor(),  shared_, *client_,        *maker_,
            std::move(instance), going_,  Logger::silent()};
  }

  template <class T>
  T run(Task<T> task) {
    auto done = asio::co_spawn(io_, std::move(task), asio::use_future);
    io_.restart();
    io_.run_for(std::chrono::seconds(60));
    if (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      throw std::runtime_error("it hangs");
    }
    return done.get();
  }

  Result<void> make(Workspaces& workspaces, const std::string& session,
                    WorkingDirectory where = {}) {
    return run(workspaces.make(SessionId(session), user_, std::move(where)));
  }
  Result<void> remove(Workspaces& workspaces, const std::string& session) {
    return run(workspaces.remove(SessionId(session)));
  }

  Result<bool> has(Workspaces& workspaces, const std::string& session) {
    return run(workspaces.has(SessionId(session)));
  }

  const TestDirectory directory_;
  asio::io_context io_;
  const std::shared_ptr<ContainerOptions> made_ = std::make_shared<ContainerOptions>();
  ContainerOptions& options_ = *made_;
  const SharedContainerOptions shared_ = made_;
  http::Endpoint endpoint_;
  std::unique_ptr<engine::EngineClient> client_;
  std::unique_ptr<ContainerMaker> maker_;
  std::set<SessionId> going_;
  ContainerUser user_{12345, 23456, "/home/node"};
};

}  // namespace relay
