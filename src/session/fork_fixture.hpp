// What tests of forks share: agents that remember what was said, in a directory of the test, and
// can be started with it. Included by tests only.
#pragma once

#include "session/staged_backend.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace relay {

class ForkFixture : public StagedFixture {
 protected:
  ForkFixture() {
    state_ = (std::filesystem::temp_directory_path() / "relay-fork-XXXXXX").string();
    if (::mkdtemp(state_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    agent_.args = {"--state", state_};
  }
  ~ForkFixture() override { std::filesystem::remove_all(state_); }

  // A session in which this was said.
  std::shared_ptr<Session> said(const std::string& words) {
    auto session = create();
    say(*session, reading(attach(*session)), words);
    return session;
  }
  void say(Session& session, const Client& client, const std::string& words) {
    const std::string id = std::to_string(++prompts_);
    prompt(session, client, id, words);
    wait_for(client, R"("id":)" + id + R"(,"result")");
  }
  static NewSession fork_request() {
    NewSession request = wanted();
    request.method = "session/fork";
    request.request_id = "5";
    request.stored_request =
        SharedBytes(R"({"jsonrpc":"2.0","id":5,"method":"session/fork","params":{}})");
    return request;
  }
  Result<std::shared_ptr<Session>> try_fork(const storage::SessionRecord& parent) {
    return run(sessions().fork(parent, fork_request()));
  }
  std::shared_ptr<Session> fork(const storage::SessionRecord& parent) {
    auto made = try_fork(parent);
    if (!made) throw std::runtime_error(made.error().explanation);
    return *made;
  }
  std::size_t sessions_in_log() {
    const auto page = run(sessions().list({}));
    return page ? page->sessions.size() : 0;
  }

  std::string state_;
  int prompts_ = 100;
};

}  // namespace relay
