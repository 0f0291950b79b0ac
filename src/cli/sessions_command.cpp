#include "cli/commands.hpp"
#include "cli/json_access.hpp"
#include "cli/output.hpp"
#include "cli/relay_client.hpp"
#include "cli/rpc.hpp"
#include "cli/sessions_view.hpp"
#include "cli/terminal_text.hpp"
#include "cli/with_relay.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <unistd.h>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::int64_t kPage = 200;

ExitCode print(std::string_view text) {
  Output out(STDOUT_FILENO);
  return out.write(text) ? ExitCode::kOk : ExitCode::kError;
}

void take_items(json::array& all, const json::object& page, std::string_view key,
                std::int64_t limit) {
  const json::array* items = array_at(page, key);
  if (items == nullptr) return;
  for (const json::value& item : *items) {
    if (static_cast<std::int64_t>(all.size()) < limit) all.push_back(item);
  }
}

Task<ExitCode> list(RelayClient& client, const ListCommand& command) {
  json::array sessions;
  std::string cursor;
  while (static_cast<std::int64_t>(sessions.size()) < command.limit) {
    json::object params;
    params["limit"] = std::min(kPage, command.limit);
    if (command.only_active) params["activeOnly"] = true;
    if (!cursor.empty()) params["cursor"] = cursor;
    const Outcome<json::object> page = co_await client.call("session/list", std::move(params));
    if (!page) co_return report(page.error());
    take_items(sessions, *page, "sessions", command.limit);
    const std::string next(string_at(*page, "nextCursor"));
    if (next.empty() || next == cursor) break;
    cursor = next;
  }
  if (command.json) co_return print(json::serialize(sessions) + "\n");
  co_return print(session_table(sessions));
}

Task<ExitCode> history(RelayClient& client, const HistoryCommand& command) {
  json::array messages;
  std::int64_t after = command.after;
  while (static_cast<std::int64_t>(messages.size()) < command.limit) {
    json::object params;
    params["sessionId"] = command.session;
    params["after"] = after;
    params["limit"] = std::min(kPage, command.limit - static_cast<std::int64_t>(messages.size()));
    const Outcome<json::object> page = co_await client.call("session/history", std::move(params));
    if (!page) co_return report(page.error());
    const std::size_t before = messages.size();
    take_items(messages, *page, "messages", command.limit);
    const std::optional<std::int64_t> last = last_sequence(messages);
    if (messages.size() == before || !last || *last <= after) break;
    after = *last;
  }
  if (!command.json) co_return print(message_table(messages));
  std::string lines;
  for (const json::value& message : messages) lines += json::serialize(message) + "\n";
  co_return print(lines);
}

Task<ExitCode> close(RelayClient& client, const CloseCommand& command) {
  json::object params;
  params["sessionId"] = command.session;
  const Outcome<json::object> closed = co_await client.call("session/close", std::move(params));
  if (!closed) co_return report(closed.error());
  co_return print("session " + visible(command.session) + " is closed\n");
}

Task<ExitCode> close_many(RelayClient& client, const CloseCommand& command) {
  std::string target =
      std::string("/api/sessions/close?only=") + (command.only_idle ? "idle" : "all");
  const Outcome<json::object> answer =
      co_await client.upload(std::move(target), "application/json", std::string());
  if (!answer) co_return report(answer.error());
  const json::array* const closed = array_at(*answer, "closed");
  if (closed == nullptr) {
    co_return report({ExitCode::kError, "the relay's answer does not say what was closed"});
  }
  std::string text;
  for (const json::value& id : *closed) {
    if (id.is_string()) text += "session " + visible(std::string(id.get_string())) + " is closed\n";
  }
  co_return print(text.empty() ? "there is no such session\n" : text);
}

Task<ExitCode> show(RelayClient& client, const ShowCommand& command) {
  std::string target = "/api/sessions/" + percent_encoded(command.session);
  const Outcome<json::object> session = co_await client.get_object(std::move(target));
  if (!session) co_return report(session.error());
  if (command.json) co_return print(json::serialize(*session) + "\n");
  co_return print(details(*session));
}

std::string audit_target(const AuditCommand& command, std::int64_t after, std::int64_t limit) {
  std::string target =
      "/api/audit?after=" + std::to_string(after) + "&limit=" + std::to_string(limit);
  if (!command.session.empty()) target += "&session=" + percent_encoded(command.session);
  if (command.principal) target += "&principal=" + percent_encoded(*command.principal);
  return target;
}

Task<ExitCode> audit(RelayClient& client, const AuditCommand& command) {
  json::array rows;
  std::optional<std::int64_t> after = command.after;
  while (after && static_cast<std::int64_t>(rows.size()) < command.limit) {
    const std::int64_t room = command.limit - static_cast<std::int64_t>(rows.size());
    std::string target = audit_target(command, *after, std::min(kPage, room));
    const Outcome<json::object> page = co_await client.get_object(std::move(target));
    if (!page) co_return report(page.error());
    take_items(rows, *page, "entries", command.limit);
    const json::value* const next = page->if_contains("nextAfter");
    const bool goes_on = next != nullptr && next->is_int64() && next->get_int64() > *after;
    after = goes_on ? std::optional(next->get_int64()) : std::nullopt;
  }
  if (!command.json) co_return print(audit_table(rows));
  std::string lines;
  for (const json::value& row : rows) lines += json::serialize(row) + "\n";
  co_return print(lines);
}

}  // namespace

ExitCode run_audit(const AuditCommand& command, const Environment& environment) {
  return with_relay(Port::kManagement, command.relay, environment,
                    [&](RelayClient& client) { return audit(client, command); });
}

ExitCode run_list(const ListCommand& command, const Environment& environment) {
  return with_relay(Port::kHttp, command.relay, environment,
                    [&](RelayClient& client) { return list(client, command); });
}

ExitCode run_show(const ShowCommand& command, const Environment& environment) {
  return with_relay(Port::kManagement, command.relay, environment,
                    [&](RelayClient& client) { return show(client, command); });
}

ExitCode run_history(const HistoryCommand& command, const Environment& environment) {
  return with_relay(Port::kHttp, command.relay, environment,
                    [&](RelayClient& client) { return history(client, command); });
}

ExitCode run_close(const CloseCommand& command, const Environment& environment) {
  if (command.session.empty()) {
    return with_relay(Port::kManagement, command.relay, environment,
                      [&](RelayClient& client) { return close_many(client, command); });
  }
  return with_relay(Port::kHttp, command.relay, environment,
                    [&](RelayClient& client) { return close(client, command); });
}

}  // namespace relay::cli
