// For tests: agents whose starts and ends wait for the test, and a backend that tells what was
// asked of it. Included by tests only.
#pragma once

#include "session/session_fixture.hpp"

#include <new>
#include <span>

namespace relay {

struct Stage {
  std::shared_ptr<Event> launching, stopping;  // waited for; null: nobody waits
  std::optional<Error> refusal;                // of the next launch or reattachment
  bool loses_input = false;                    // sending throws
  bool is_out_of_memory = false;               // when it is asked what kind of backend it is
  Isolation isolation = Isolation::kProcess;
  std::size_t launches = 0;
  std::vector<SessionId> released;
};

class StagedAgent final : public Agent {
 public:
  StagedAgent(std::unique_ptr<Agent> agent, const Stage& stage)
      : agent_(std::move(agent)), stage_(stage) {}

  Task<Result<void>> send(std::span<const SharedBytes> messages) override {
    if (stage_.loses_input) throw std::bad_alloc();
    return agent_->send(messages);
  }
  Task<std::optional<AgentOutput>> receive() override {
    auto output = co_await agent_->receive();
    if (!output && is_left_) co_await agent_->stop(std::chrono::milliseconds(0));
    co_return output;
  }
  Task<AgentExit> stop(std::chrono::milliseconds grace) override {
    const auto stopping = stage_.stopping;
    if (stopping) co_await stopping->wait();
    auto exit = co_await agent_->stop(grace);
    co_return exit;
  }
  void kill() noexcept override { agent_->kill(); }
  // Nobody goes on with it: it is ended, as it is lost to the relay.
  bool leave() noexcept override {
    is_left_ = stage_.isolation == Isolation::kContainer;
    if (is_left_) agent_->kill();
    return is_left_;
  }
  Task<std::optional<Error>> diagnose() override { return agent_->diagnose(); }
  Task<std::optional<AgentUsage>> usage() override { return agent_->usage(); }
  std::chrono::steady_clock::time_point launched_at() const override {
    return agent_->launched_at();
  }
  std::string stderr_tail() const override { return agent_->stderr_tail(); }
  const std::string& working_directory() const override { return agent_->working_directory(); }
  std::string description() const override { return agent_->description(); }

 private:
  std::unique_ptr<Agent> agent_;
  const Stage& stage_;
  bool is_left_ = false;
};

class StagedBackend final : public AgentBackend {
 public:
  StagedBackend(asio::any_io_executor executor, ProcessOptions options, Stage& stage)
      : backend_(std::move(executor), std::move(options), Logger::silent()), stage_(stage) {}

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override {
    ++stage_.launches;
    const auto launching = stage_.launching;
    if (launching) co_await launching->wait();
    if (const auto refusal = std::exchange(stage_.refusal, std::nullopt)) co_return *refusal;
    auto launched = co_await backend_.launch(std::move(spec));
    if (!launched) co_return launched.error();
    std::unique_ptr<Agent> agent = std::make_unique<StagedAgent>(std::move(*launched), stage_);
    co_return agent;
  }
  Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) override {
    if (const auto refusal = std::exchange(stage_.refusal, std::nullopt)) co_return *refusal;
    auto reattached = co_await backend_.reattach(std::move(session), position);
    co_return reattached;
  }
  Task<void> end_unwanted(SessionId) override { co_return; }
  Task<void> release(SessionId session) override {
    stage_.released.push_back(std::move(session));
    co_return;
  }
  Task<void> shut_down() override { co_return; }
  std::optional<Error> unavailable() const override { return std::nullopt; }
  Isolation isolation() const override {
    if (stage_.is_out_of_memory) throw std::bad_alloc();
    return stage_.isolation;
  }

 private:
  ProcessBackend backend_;
  Stage& stage_;
};

class StagedFixture : public SessionFixture {
 protected:
  // Sessions have such agents from here on: with what was set in agent_.
  void use_stage() {
    staged_.emplace(io_.get_executor(), agent_, stage_);
    other_backend_ = &*staged_;
  }
  std::shared_ptr<Event> event() { return std::make_shared<Event>(io_.get_executor()); }

  void close(const std::shared_ptr<Session>& session) {
    session->close(make_error(ErrorType::kSessionClosed, "test"), "test");
    wait_until_gone(session->id());
  }
  void end(const std::shared_ptr<Session>& session) {
    prompt(*session, reading(attach(*session)), "7", "/exit 3");
    wait_until_gone(session->id());
  }
  void wait_until_gone(const SessionId& id) {
    run_until([&] { return sessions().find(id) == nullptr; });
  }

  Stage stage_;

 private:
  std::optional<StagedBackend> staged_;
};

}  // namespace relay
