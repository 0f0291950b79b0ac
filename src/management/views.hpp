// What the management API shows, as JSON texts. Pure.
//
// Sessions are shown as session/list shows them (session/history_view.hpp) with `owner` added, and
// for live ones `state`, `clients`, `turnRunning` and `runsAs` (pid or container).
#pragma once

#include "management/readiness.hpp"
#include "session/history_view.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::management {

struct HealthFacts {
  std::string_view version;
  std::chrono::seconds uptime{0};
  std::string_view isolation;
  std::string_view agent_command;
  std::size_t sessions = 0;
};

// {"status":"ok","version","uptime_seconds","isolation","agent_command","sessions"}
std::string health_view(const HealthFacts& facts);

// {"ready","reasons":[...],"remedies":{reason: text},"sessions","sessionLimit","log":{...}}
std::string readiness_view(const ReadinessFacts& facts, const storage::LogStatus& log);

struct LiveFacts {
  std::string_view state;  // "starting", "ready", "closing"
  std::size_t clients = 0;
  bool turn_running = false;
  std::string runs_as;
};

// Without `live`: a closed session.
std::string session_view(const storage::SessionRecord& session,
                         const std::optional<LiveFacts>& live, TimeForm form = TimeForm::kRfc3339);

// A session_view() with `upstreamUse`: JSON text; empty: nothing was used, null.
std::string with_use(std::string session_view, std::string_view use);

// A list of JSON strings.
std::string text_list(const std::vector<std::string>& texts);

// The ids of sessions that were closed at the operator's wish.
std::string closed_view(const std::vector<std::string>& ids);

// [...]
std::string array_view(const std::vector<std::string>& sessions);

// {"sessions":[...],"nextCursor"?}
std::string page_view(const std::vector<std::string>& sessions,
                      const std::optional<std::string>& next_cursor);

// {"entries":[{"number","time","session","action","detail","principal","transport","peer"}],
// "nextAfter"?}; what is not there is null.
std::string audit_view(const storage::AuditPage& page);

// Lines of an export, each with its line feed; session_file.hpp has the format.
std::string export_head(const storage::SessionRecord& session, bool is_active);
// The messages of a page that was asked for `after` a number, up to the number `end`. Numbers that
// the page does not have are gaps; behind the last message only when the page is the last one.
std::string export_lines(const storage::HistoryPage& page, storage::Sequence after,
                         storage::Sequence end);

}  // namespace relay::management
