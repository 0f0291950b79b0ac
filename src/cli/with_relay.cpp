#include "cli/with_relay.hpp"

#include "cli/commands.hpp"
#include "cli/run_task.hpp"

namespace relay::cli {

ExitCode with_relay(Port port, const RelayAddress& relay, const Environment& environment,
                    const std::function<Task<ExitCode>(RelayClient&)>& body) {
  const Outcome<RelayAccess> access = prepare_access(port, relay, environment);
  if (!access) return report(access.error());
  return run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    RelayClient client(executor, *access);
    co_return co_await body(client);
  });
}

}  // namespace relay::cli
