// 'sessions export' and 'sessions import'.
#include "cli/commands.hpp"
#include "cli/json_access.hpp"
#include "cli/output.hpp"
#include "cli/sessions_view.hpp"
#include "cli/terminal_text.hpp"
#include "cli/whole_file.hpp"
#include "cli/with_relay.hpp"
#include "management/session_import.hpp"

#include <unistd.h>

namespace relay::cli {
namespace {

namespace json = boost::json;

// Copies a GET's body to `out`.
Task<ExitCode> copy(RelayClient& client, std::string target, Output& out) {
  Outcome<std::unique_ptr<http::Stream>> opened = co_await client.get(std::move(target));
  if (!opened) co_return report(opened.error());
  const std::unique_ptr<http::Stream> stream = std::move(*opened);
  while (true) {
    const Result<std::string> bytes = co_await stream->read_some();
    if (!bytes)
      co_return report({ExitCode::kError, "the answer was cut off: the export is incomplete"});
    if (bytes->empty()) co_return ExitCode::kOk;
    if (!out.write(*bytes)) {
      co_return report({ExitCode::kError, "the output can't be written: the export is incomplete"});
    }
  }
}

Task<ExitCode> upload(RelayClient& client, bool new_id, std::string file) {
  std::string target = new_id ? "/api/sessions/import?newId=true" : "/api/sessions/import";
  const Outcome<json::object> done =
      co_await client.upload(std::move(target), "application/x-ndjson", std::move(file));
  if (!done) co_return report(done.error());
  Output out(STDOUT_FILENO);
  const bool written = out.write(visible(string_at(*done, "id")) + "\n");
  co_return written ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace

ExitCode run_export(const ExportCommand& command, const Environment& environment) {
  const std::string target = "/api/sessions/" + percent_encoded(command.session) + "/export";
  const auto copied_to = [&](int fd) {
    Output out(fd);
    return with_relay(Port::kManagement, command.relay, environment,
                      [&](RelayClient& client) { return copy(client, target, out); });
  };
  if (command.output.empty()) return copied_to(STDOUT_FILENO);
  Outcome<WholeFile> file = WholeFile::open(command.output);
  if (!file) return report(file.error());
  const ExitCode code = copied_to(file->fd());
  if (code != ExitCode::kOk) return code;
  const Outcome<void> put = file->put();
  return put ? ExitCode::kOk : report(put.error());
}

ExitCode run_import(const ImportCommand& command, const Environment& environment) {
  Outcome<std::string> file = read_whole(command.file, management::kMaxImportBytes);
  if (!file) return report(file.error());
  return with_relay(Port::kManagement, command.relay, environment, [&](RelayClient& client) {
    return upload(client, command.new_id, std::move(*file));
  });
}

}  // namespace relay::cli
