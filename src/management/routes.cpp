#include "management/routes.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace relay::management {
namespace {

constexpr std::string_view kSessionsPrefix = "/api/sessions/";
constexpr std::string_view kExportSuffix = "/export";

constexpr std::array<std::pair<std::string_view, Endpoint>, 12> kFixed{{
    {"/api/health", Endpoint::kHealth},
    {"/api/ready", Endpoint::kReady},
    {"/api/overview", Endpoint::kOverview},
    {"/api/audit", Endpoint::kAudit},
    {"/api/config", Endpoint::kConfig},
    {"/api/sessions", Endpoint::kSessions},
    {"/api/sessions/import", Endpoint::kImport},
    {"/api/sessions/close", Endpoint::kClose},
    {"/api/drain", Endpoint::kDrain},
    {"/api/reload", Endpoint::kReload},
    {"/api/stop", Endpoint::kStop},
    {"/metrics", Endpoint::kMetrics},
}};

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, number);
  return failure == std::errc() && stopped == end;
}

Error bad_limit(const std::string& limit, std::string next_page) {
  return make_error(ErrorType::kInvalidParams, "limit must be a number from 1 to 1000")
      .suggest(std::move(next_page))
      .with("limit", limit.substr(0, 100));
}

Result<bool> read_flag(const std::vector<std::pair<std::string, std::string>>& query,
                       const std::string& flag) {
  bool is_set = false;
  for (const auto& [name, value] : query) {
    if (name != flag) continue;
    if (value != "true" && value != "false") {
      return make_error(ErrorType::kInvalidParams, flag + " must be true or false")
          .with(flag, value.substr(0, 100));
    }
    is_set = value == "true";
  }
  return is_set;
}

}  // namespace

Route route_of(std::string_view path) {
  for (const auto& [fixed, endpoint] : kFixed) {
    if (path == fixed) return {endpoint, {}};
  }
  if (!path.starts_with(kSessionsPrefix)) return {};
  std::string_view id = path.substr(kSessionsPrefix.size());
  Endpoint endpoint = Endpoint::kSession;
  if (id.ends_with(kExportSuffix)) {
    id.remove_suffix(kExportSuffix.size());
    endpoint = Endpoint::kExport;
  }
  if (id.empty() || id.find('/') != std::string_view::npos) return {};
  return {endpoint, std::string(id)};
}

std::string_view allowed_methods(Endpoint endpoint) {
  if (endpoint == Endpoint::kImport || endpoint == Endpoint::kClose ||
      endpoint == Endpoint::kStop || endpoint == Endpoint::kReload) {
    return "POST";
  }
  if (endpoint == Endpoint::kDrain) return "GET, HEAD, POST, DELETE";
  return endpoint == Endpoint::kSession ? "GET, HEAD, DELETE" : "GET, HEAD";
}

bool is_allowed(Endpoint endpoint, std::string_view method) {
  if (allowed_methods(endpoint) == "POST") return method == "POST";
  return method == "GET" || method == "HEAD" ||
         (method == "DELETE" && (endpoint == Endpoint::kSession || endpoint == Endpoint::kDrain)) ||
         (method == "POST" && endpoint == Endpoint::kDrain);
}

bool is_for_operators(Endpoint endpoint) {
  return endpoint != Endpoint::kHealth && endpoint != Endpoint::kReady &&
         endpoint != Endpoint::kMetrics && endpoint != Endpoint::kUnknown;
}

Result<bool> read_import_query(const std::vector<std::pair<std::string, std::string>>& query) {
  return read_flag(query, "newId");
}

Result<bool> read_stop_query(const std::vector<std::pair<std::string, std::string>>& query) {
  return read_flag(query, "ifQuiet");
}

Result<bool> read_close_query(const std::vector<std::pair<std::string, std::string>>& query) {
  std::string only;
  for (const auto& [name, value] : query) {
    if (name == "only") only = value;
  }
  if (only == "idle" || only == "all") return only == "idle";
  return make_error(ErrorType::kInvalidParams, "only must say which sessions to close")
      .suggest("?only=idle for those without a client and a turn, ?only=all for every one")
      .with("only", only.substr(0, 100));
}

Result<ListQuery> read_list_query(const std::vector<std::pair<std::string, std::string>>& query) {
  ListQuery out;
  for (const auto& [name, value] : query) {
    if (name == "cursor") out.sessions.cursor = value;
    if (name == "format") {
      if (value != "array" && value != "page") {
        return make_error(ErrorType::kInvalidParams, "format must be array or page")
            .suggest("leave it out for an array, say page for an object with nextCursor")
            .with("format", value.substr(0, 100));
      }
      out.as_array = value == "array";
    }
    if (name != "limit") continue;
    if (!read_number(value, out.sessions.limit) || out.sessions.limit == 0 ||
        out.sessions.limit > kMaxListLimit) {
      return bad_limit(
          value, "ask for the next page with the cursor that nextCursor or the header Link gives");
    }
  }
  return out;
}

Result<storage::AuditQuery> read_audit_query(
    const std::vector<std::pair<std::string, std::string>>& query) {
  storage::AuditQuery out;
  for (const auto& [name, value] : query) {
    if (name == "session") out.session = value;
    if (name == "principal") out.principal = value;
    if (name == "limit" &&
        (!read_number(value, out.limit) || out.limit == 0 || out.limit > kMaxListLimit)) {
      return bad_limit(value, "ask for the next page with after");
    }
    if (name == "after" && (!read_number(value, out.after) || out.after < 0)) {
      return make_error(ErrorType::kInvalidParams, "after must be the number of a row")
          .suggest("take nextAfter of the page before, or leave it out to begin with the oldest")
          .with("after", value.substr(0, 100));
    }
  }
  return out;
}

Result<OverviewQuery> read_overview_query(
    const std::vector<std::pair<std::string, std::string>>& query) {
  OverviewQuery out;
  for (const auto& [name, value] : query) {
    if (name == "limit" &&
        (!read_number(value, out.limit) || out.limit == 0 || out.limit > kMaxListLimit)) {
      return bad_limit(value, "ask for the next page with offset");
    }
    if (name == "offset" && !read_number(value, out.offset)) {
      return make_error(ErrorType::kInvalidParams, "offset must be a number of agents to leave out")
          .with("offset", value.substr(0, 100));
    }
  }
  return out;
}

}  // namespace relay::management
