#include "cli/alive_target.hpp"
#include "cli/commands.hpp"
#include "cli/config_failure.hpp"
#include "cli/output.hpp"
#include "cli/run_task.hpp"
#include "config/load.hpp"

#include <algorithm>
#include <string>
#include <unistd.h>

namespace relay::cli {
namespace {

// A relay that was told of a file that is wrong goes on as before; where it listens is all that
// counts.
bool is_of_the_server(const config::Problem& problem) {
  return problem.key.empty() || problem.key.starts_with("server.");
}

Outcome<http::Endpoint> target_of(const std::string& file, const Environment& environment) {
  const config::LoadResult loaded = config::load(file, environment);
  if (std::ranges::none_of(loaded.problems, is_of_the_server)) {
    return alive_target(loaded.config.server);
  }
  return cannot_use(file, loaded);
}

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
  const Outcome<http::Endpoint> target = target_of(command.config, environment);
  if (!target) return report(target.error());
  return run_task([&](asio::any_io_executor executor) {
    return ask(executor, *target, std::chrono::seconds(command.timeout_seconds));
  });
}

}  // namespace relay::cli
