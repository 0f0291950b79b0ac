// The paths of the management API and what their queries mean. Pure.
#pragma once

#include "base/result.hpp"
#include "storage/message_log.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::management {

enum class Endpoint { kUnknown, kHealth, kReady, kConfig, kMetrics, kSessions, kSession, kExport };

struct Route {
  Endpoint endpoint = Endpoint::kUnknown;
  std::string session;  // of kSession and kExport; any text without a slash
};

// `path` is percent-decoded and without its query.
Route route_of(std::string_view path);

// The value of the Allow header.
std::string_view allowed_methods(Endpoint endpoint);
bool is_allowed(Endpoint endpoint, std::string_view method);

inline constexpr std::size_t kMaxListLimit = 1000;

// `limit` (1 to kMaxListLimit, 100 when left out) and `cursor`; other parameters are ignored.
Result<storage::SessionQuery> read_list_query(
    const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace relay::management
