#include "cli/commands.hpp"
#include "cli/configured_relay.hpp"
#include "cli/output.hpp"
#include "cli/run_task.hpp"

#include <string>
#include <unistd.h>

namespace relay::cli {
namespace {

// Asked without a token: who wants one lives.
bool is_alive(int status) { return status == 200 || status == 401; }

Task<ExitCode> ask(asio::any_io_executor executor, http::Endpoint endpoint,
                   std::chrono::milliseconds patience) {
  http::ClientOptions options;
  options.connect_timeout = patience;
  options.answer_timeout = patience;
  options.max_body_bytes = 1u << 20;
  const std::string where = endpoint.to_string() + "/api/health";
  http::Client client(executor, std::move(endpoint), options);
  http::Request request;
  request.target = "/api/health";
  const auto answer = co_await client.request(std::move(request));
  if (!answer) {
    co_return report({ExitCode::kCannotConnect, where + ": " + answer.error().explanation});
  }
  if (!is_alive(answer->status)) {
    const std::string status = std::to_string(answer->status);
    co_return report({ExitCode::kError, where + ": status " + status + ", which no relay gives"});
  }
  const bool written = Output(STDOUT_FILENO).write(where + ": the relay answers\n");
  co_return written ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace

ExitCode run_alive(const AliveCommand& command, const Environment& environment) {
  Outcome<http::Endpoint> target =
      configured_endpoint(command.config, Port::kManagement, environment);
  if (!target) return report(target.error());
  // Whoever is asked is this machine, and nothing is told to it.
  target->pinned_file.clear();
  target->verify_peer = false;
  return run_task([&](asio::any_io_executor executor) {
    return ask(executor, *target, std::chrono::seconds(command.timeout_seconds));
  });
}

}  // namespace relay::cli
