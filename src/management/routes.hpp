// The paths of the management API and what their queries mean. Pure.
#pragma once

#include "base/result.hpp"
#include "session/history_view.hpp"
#include "storage/message_log.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::management {

enum class Endpoint {
  kUnknown,
  kHealth,
  kReady,
  kOverview,
  kConfig,
  kMetrics,
  kSessions,
  kSession,
  kExport,
  kImport,
  kClose,
  kAudit,
  kDrain,
  kReload,
  kStop
};

struct Route {
  Endpoint endpoint = Endpoint::kUnknown;
  std::string session;  // of kSession and kExport; any text without a slash
};

// `path` is percent-decoded and without its query.
Route route_of(std::string_view path);

// The value of the Allow header.
std::string_view allowed_methods(Endpoint endpoint);
bool is_allowed(Endpoint endpoint, std::string_view method);

// Whether the endpoint shows or ends everybody's sessions, or shows the configuration: for
// operators. The others say how the relay is, for those who watch it.
bool is_for_operators(Endpoint endpoint);

inline constexpr std::size_t kMaxListLimit = 1000;

struct ListQuery {
  storage::SessionQuery sessions;
  // `array`, the default: what earlier acp-relay servers answer, so that their clients go on; the
  // next page is named by the header Link. `page`: an object that names it (ADR 0026).
  bool as_array = true;

  TimeForm time_form() const { return as_array ? TimeForm::kSql : TimeForm::kRfc3339; }
};

// `format`, `limit` (1 to kMaxListLimit, 100 when left out) and `cursor`; other parameters are
// ignored.
Result<ListQuery> read_list_query(const std::vector<std::pair<std::string, std::string>>& query);

// Which of the agents an overview shows, the newest first.
struct OverviewQuery {
  std::size_t limit = 100;
  std::size_t offset = 0;
};

// `limit` (1 to kMaxListLimit) and `offset`; other parameters are ignored.
Result<OverviewQuery> read_overview_query(
    const std::vector<std::pair<std::string, std::string>>& query);

// `session`, `principal`, `after` and `limit` (1 to kMaxListLimit); other parameters are ignored.
Result<storage::AuditQuery> read_audit_query(
    const std::vector<std::pair<std::string, std::string>>& query);

// `newId` of an import: whether the session gets an id of its own here; false when left out.
Result<bool> read_import_query(const std::vector<std::pair<std::string, std::string>>& query);

// `only` of a request to close many: whether those alone are meant that nobody uses (no client, no
// turn). It has to say `idle` or `all`: too much hangs on it for a default.
Result<bool> read_close_query(const std::vector<std::pair<std::string, std::string>>& query);

// `ifQuiet` of a request to stop: whether it is refused while turns run; false when left out.
Result<bool> read_stop_query(const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace relay::management
