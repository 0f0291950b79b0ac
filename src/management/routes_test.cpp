#include "management/routes.hpp"

#include <gtest/gtest.h>

namespace relay::management {
namespace {

TEST(RouteOf, KnowsEveryPath) {
  struct Case {
    const char* path;
    Endpoint endpoint;
    const char* session;
  };
  const Case cases[] = {
      {"/api/health", Endpoint::kHealth, ""},
      {"/api/ready", Endpoint::kReady, ""},
      {"/api/overview", Endpoint::kOverview, ""},
      {"/api/config", Endpoint::kConfig, ""},
      {"/api/sessions", Endpoint::kSessions, ""},
      {"/metrics", Endpoint::kMetrics, ""},
      {"/api/sessions/sess_1", Endpoint::kSession, "sess_1"},
      {"/api/sessions/sess_1/export", Endpoint::kExport, "sess_1"},
      {"/api/sessions/export", Endpoint::kSession, "export"},
      {"/api/sessions/import", Endpoint::kImport, ""},
      {"/api/sessions/", Endpoint::kUnknown, ""},
      {"/api/sessions//export", Endpoint::kUnknown, ""},
      {"/api/sessions/a/b", Endpoint::kUnknown, ""},
      {"/api/sessions/a/b/export", Endpoint::kUnknown, ""},
      {"/api/health/", Endpoint::kUnknown, ""},
      {"/api/Health", Endpoint::kUnknown, ""},
      {"/api/sessions/close", Endpoint::kClose, ""},
      {"/api/drain", Endpoint::kDrain, ""},
      {"/api/stop", Endpoint::kStop, ""},
      {"/api/reload", Endpoint::kReload, ""},
      {"/", Endpoint::kUnknown, ""},
      {"", Endpoint::kUnknown, ""},
      {"*", Endpoint::kUnknown, ""},
  };
  for (const Case& row : cases) {
    const Route route = route_of(row.path);
    EXPECT_EQ(route.endpoint, row.endpoint) << row.path;
    EXPECT_EQ(route.session, row.session) << row.path;
  }
}

TEST(IsAllowed, SaysForEachEndpointWithWhichMethods) {
  EXPECT_TRUE(is_allowed(Endpoint::kSession, "DELETE"));
  EXPECT_FALSE(is_allowed(Endpoint::kSessions, "DELETE"));
  EXPECT_FALSE(is_allowed(Endpoint::kExport, "DELETE"));
  EXPECT_TRUE(is_allowed(Endpoint::kHealth, "GET"));
  EXPECT_TRUE(is_allowed(Endpoint::kHealth, "HEAD"));
  EXPECT_FALSE(is_allowed(Endpoint::kHealth, "POST"));
  EXPECT_FALSE(is_allowed(Endpoint::kHealth, "get"));
  EXPECT_TRUE(is_allowed(Endpoint::kImport, "POST"));
  EXPECT_FALSE(is_allowed(Endpoint::kImport, "GET"));
  EXPECT_TRUE(is_allowed(Endpoint::kClose, "POST"));
  EXPECT_FALSE(is_allowed(Endpoint::kClose, "GET"));
  for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) {
    EXPECT_TRUE(is_allowed(Endpoint::kDrain, method)) << method;
  }
  EXPECT_FALSE(is_allowed(Endpoint::kDrain, "PUT"));
  for (const Endpoint endpoint : {Endpoint::kStop, Endpoint::kReload}) {
    EXPECT_TRUE(is_allowed(endpoint, "POST"));
    EXPECT_FALSE(is_allowed(endpoint, "GET"));
    EXPECT_FALSE(is_allowed(endpoint, "DELETE"));
  }
}

TEST(ReadCloseQuery, WantsToBeToldWhichSessions) {
  EXPECT_TRUE(read_close_query({{"only", "idle"}}).value());
  EXPECT_FALSE(read_close_query({{"other", "x"}, {"only", "all"}}).value());
  for (const std::vector<std::pair<std::string, std::string>>& query :
       {std::vector<std::pair<std::string, std::string>>{}, {{"only", ""}}, {{"only", "ALL"}}}) {
    const auto refused = read_close_query(query);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().type, ErrorType::kInvalidParams);
  }
}

TEST(ReadOverviewQuery, TakesALimitAndAnOffset) {
  EXPECT_EQ(read_overview_query({})->limit, 100u);
  EXPECT_EQ(read_overview_query({})->offset, 0u);
  const auto wanted = read_overview_query({{"limit", "1000"}, {"offset", "5"}, {"other", "x"}});
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->limit, 1000u);
  EXPECT_EQ(wanted->offset, 5u);
  const std::pair<std::string, std::string> bad[] = {
      {"limit", "0"},  {"limit", "1001"}, {"limit", "ten"},
      {"limit", "1x"}, {"limit", ""},     {"offset", "-1"},
      {"offset", "x"}, {"offset", ""},    {"offset", "99999999999999999999"}};
  for (const auto& parameter : bad) {
    const auto refused = read_overview_query({parameter});
    ASSERT_FALSE(refused) << parameter.second;
    EXPECT_EQ(refused.error().type, ErrorType::kInvalidParams);
  }
}

TEST(ReadAuditQuery, TakesWhatAndWhoseAndFromWhere) {
  const auto plain = read_audit_query({});
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->session || plain->principal);
  EXPECT_EQ(plain->after, 0);
  EXPECT_EQ(plain->limit, 100u);
  const auto all = read_audit_query(
      {{"session", "s"}, {"principal", ""}, {"after", "7"}, {"limit", "1000"}, {"other", "x"}});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->session, "s");
  EXPECT_EQ(all->principal, "");
  EXPECT_EQ(all->after, 7);
  EXPECT_EQ(all->limit, 1000u);
  EXPECT_FALSE(read_audit_query({{"after", "-1"}}));
  EXPECT_FALSE(read_audit_query({{"after", "x"}}));
  EXPECT_FALSE(read_audit_query({{"limit", "1001"}}));
}

TEST(ReadListQuery, TakesALimitAndACursor) {
  const auto plain = read_list_query({});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->sessions.limit, 100u);
  EXPECT_EQ(plain->sessions.cursor, "");
  EXPECT_TRUE(plain->as_array);
  const auto full =
      read_list_query({{"limit", "1000"}, {"other", "x"}, {"cursor", "abc"}, {"format", "page"}});
  ASSERT_TRUE(full);
  EXPECT_EQ(full->sessions.limit, 1000u);
  EXPECT_EQ(full->sessions.cursor, "abc");
  EXPECT_FALSE(full->as_array);
  EXPECT_FALSE(read_list_query({{"format", "xml"}}));
}

TEST(ReadListQuery, RefusesALimitThatIsNone) {
  for (const char* limit : {"", "0", "-1", "1001", "ten", "10x", " 10", "99999999999999999999"}) {
    const auto refused = read_list_query({{"limit", limit}});
    ASSERT_FALSE(refused) << limit;
    EXPECT_EQ(refused.error().type, ErrorType::kInvalidParams);
    EXPECT_FALSE(refused.error().suggested_actions.empty());
  }
}

TEST(Routes, TellWhatIsForOperators) {
  for (const char* path : {"/api/config", "/api/overview", "/api/sessions", "/api/sessions/x",
                           "/api/sessions/x/export", "/api/sessions/close", "/api/sessions/import",
                           "/api/drain", "/api/stop", "/api/reload"}) {
    EXPECT_TRUE(is_for_operators(route_of(path).endpoint)) << path;
  }
  for (const char* path : {"/api/health", "/api/ready", "/metrics", "/nowhere"}) {
    EXPECT_FALSE(is_for_operators(route_of(path).endpoint)) << path;
  }
}

}  // namespace
}  // namespace relay::management
