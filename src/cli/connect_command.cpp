#include "cli/commands.hpp"
#include "cli/connect_run.hpp"
#include "cli/connect_target.hpp"
#include "cli/error_view.hpp"
#include "cli/run_task.hpp"

#include <unistd.h>

namespace relay::cli {

ExitCode run_connect(const ConnectCommand& command, const Environment& environment) {
  Outcome<ConnectTarget> target = connect_target(command, environment);
  if (!target) return report(target.error());
  return run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    Result<StandardStream> input = StandardStream::open(executor, STDIN_FILENO);
    if (!input) co_return report({ExitCode::kError, explain(input.error())});
    Result<StandardStream> output = StandardStream::open(executor, STDOUT_FILENO);
    if (!output) co_return report({ExitCode::kError, explain(output.error())});
    ConnectTimes times;
    times.reconnect = std::chrono::seconds(command.reconnect_seconds);
    ConnectRun run(executor, std::move(*target), times, std::move(*input), std::move(*output));
    co_return co_await run.run();
  });
}

}  // namespace relay::cli
