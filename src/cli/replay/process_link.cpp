#include "backend/process/process_backend.hpp"
#include "cli/error_view.hpp"
#include "cli/replay/replay_link.hpp"
#include "cli/terminal_text.hpp"

namespace relay::cli {
namespace {

constexpr std::chrono::seconds kGrace(3);

class ProcessLink final : public ReplayLink {
 public:
  explicit ProcessLink(std::unique_ptr<Agent> agent) : agent_(std::move(agent)) {}

  Task<bool> send(std::vector<std::string> messages) override {
    std::vector<SharedBytes> bytes;
    bytes.reserve(messages.size());
    for (std::string& message : messages) bytes.emplace_back(std::move(message));
    const Result<void> sent = co_await agent_->send(bytes);
    co_return sent.has_value();
  }
  Task<std::vector<std::string>> receive() override {
    std::vector<std::string> lines;
    while (lines.empty()) {
      std::optional<AgentOutput> output = co_await agent_->receive();
      if (!output) break;
      lines = std::move(output->lines);
    }
    co_return lines;
  }
  Task<void> close(std::string) override {
    const AgentExit exit = co_await agent_->stop(kGrace);
    static_cast<void>(exit);
  }
  std::string ended() const override {
    const std::string said = agent_->stderr_tail();
    return said.empty() ? "the agent has ended" : "the agent has ended; it said: " + visible(said);
  }
  std::string_view error_type() const override { return "agent_exited"; }

 private:
  std::unique_ptr<Agent> agent_;
};

}  // namespace

Task<Outcome<std::unique_ptr<ReplayLink>>> open_process_link(asio::any_io_executor executor,
                                                             std::vector<std::string> command,
                                                             std::string directory,
                                                             Environment environment) {
  ProcessOptions options;
  options.command = command.front();
  options.args.assign(command.begin() + 1, command.end());
  options.env.assign(environment.begin(), environment.end());
  options.max_line_bytes = kMaxReplayedBytes;
  LaunchSpec spec;
  spec.working_directory = std::move(directory);
  ProcessBackend backend(std::move(executor), std::move(options), Logger::silent());
  Result<std::unique_ptr<Agent>> agent = co_await backend.launch(std::move(spec));
  if (!agent) co_return Failure{ExitCode::kError, explain(agent.error())};
  std::unique_ptr<ReplayLink> link = std::make_unique<ProcessLink>(std::move(*agent));
  co_return link;
}

}  // namespace relay::cli
