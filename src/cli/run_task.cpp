#include "cli/run_task.hpp"

#include "cli/output.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <unistd.h>

namespace relay::cli {

ExitCode run_task(const std::function<Task<ExitCode>(asio::any_io_executor)>& body) {
  asio::io_context loop(1);
  ExitCode code = ExitCode::kError;
  std::exception_ptr failure;
  asio::co_spawn(loop, body(loop.get_executor()),
                 [&code, &failure](std::exception_ptr thrown, ExitCode ended) {
                   failure = thrown;
                   code = ended;
                 });
  loop.run();
  if (!failure) return code;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    Output(STDERR_FILENO).write(std::string("acp-relay: unexpected error: ") + error.what() + "\n");
  }
  return ExitCode::kError;
}

}  // namespace relay::cli
