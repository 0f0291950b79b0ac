#include "cli/connect_target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Address {
  const char* url;
  const char* agent;
  const char* target;  // "" when it is refused
};

TEST(ConnectTarget, FindsTheEndpoint) {
  const Address table[] = {
      {"http://127.0.0.1:8080", "", "ws://127.0.0.1:8080/acp"},
      {"http://127.0.0.1:8080/", "a", "ws://127.0.0.1:8080/agents/a/acp"},
      {"wss://h/acp", "", "wss://h/acp"},
      {"wss://h/acp", "claude-4.5_x", "wss://h/agents/claude-4.5_x/acp"},
      {"ws://h:1/agents/a/acp", "", "ws://h:1/agents/a/acp"},
      {"ws://h:1/agents/a/acp", "b", "ws://h:1/agents/b/acp"},
      {"ws://h:1/behind/acp", "b", "ws://h:1/behind/agents/b/acp"},
      {"ws://h:1/behind/agents/a/acp", "b", "ws://h:1/behind/agents/b/acp"},
      {"ws://h:1/custom", "", "ws://h:1/custom"},
      {"ws://h:1/custom", "b", ""},
      {"ws://h:1", "a/b", ""},
      {"ws://h:1", "..", ""},
      {"ws://h:1/acp?token=secret", "", ""},
      {"unix:///run/relay.sock", "", ""},
  };
  for (const Address& row : table) {
    const auto url = acp_url(row.url, row.agent);
    EXPECT_EQ(url ? url->to_string() : "", row.target) << row.url << " " << row.agent;
    if (url) continue;
    EXPECT_EQ(url.error().code, ExitCode::kUsage) << row.url;
  }
}

std::string_view authorization(const ConnectCommand& command, const Environment& environment) {
  static Outcome<ConnectTarget> target = Failure{};
  target = connect_target(command, environment);
  return target ? http::find_header(target->headers, "Authorization") : "refused";
}

TEST(ConnectTarget, TakesTheTokenOfTheCommandLineFirst) {
  ConnectCommand command;
  EXPECT_EQ(authorization(command, {}), "");
  EXPECT_EQ(authorization(command, {{"ACP_RELAY_TOKEN", "t1"}}), "Bearer t1");
  command.token = "t2";
  EXPECT_EQ(authorization(command, {{"ACP_RELAY_TOKEN", "t1"}}), "Bearer t2");
  command.token = "t 2";
  EXPECT_EQ(authorization(command, {}), "refused");
}

struct Case {
  std::int64_t status;
  std::int64_t number;
  bool recoverable;
  ExitCode code;
  bool final_first;
  bool final_later;
  const char* remedy;
};

TEST(ConnectFailure, SaysWhatToDoAndWhetherAnotherAttemptIsWorthIt) {
  const Case table[] = {
      {0, ECONNREFUSED, true, ExitCode::kCannotConnect, false, false, "acp-relay serve"},
      {0, ENXIO, true, ExitCode::kCannotConnect, false, false, "--url"},
      {0, EPROTO, true, ExitCode::kCannotConnect, true, false, "--ca-file"},
      {0, EBADMSG, false, ExitCode::kCannotConnect, true, false, "--url"},
      {401, 0, false, ExitCode::kUnauthorized, true, true, "--token-file"},
      {403, 0, false, ExitCode::kUnauthorized, true, true, "127.0.0.1 or localhost"},
      {404, 0, false, ExitCode::kError, true, false, "--agent"},
      {426, 0, false, ExitCode::kError, true, false, "ports"},
      {429, 0, true, ExitCode::kError, false, false, "ports"},
      {503, 0, true, ExitCode::kCannotConnect, false, false, "ports"},
      {200, 0, false, ExitCode::kCannotConnect, true, false, "ports"},
  };
  for (const Case& row : table) {
    Error error = make_error(ErrorType::kInternalError, "it failed");
    if (row.status != 0) error.state.emplace_back("status", row.status);
    if (row.number != 0) error.state.emplace_back("errno", row.number);
    error.recoverable = row.recoverable;
    const ConnectFailure first = connect_failure("ws://h/acp", error, false);
    const ConnectFailure later = connect_failure("ws://h/acp", error, true);
    EXPECT_EQ(first.code, row.code) << row.status << " " << row.number;
    EXPECT_EQ(first.is_final, row.final_first) << row.status << " " << row.number;
    EXPECT_EQ(later.is_final, row.final_later) << row.status << " " << row.number;
    EXPECT_THAT(first.error.explanation, HasSubstr("ws://h/acp"));
    EXPECT_THAT(first.error.explanation, HasSubstr("it failed"));
    EXPECT_THAT(first.error.explanation, HasSubstr(row.remedy));
  }
}

TEST(ConnectFailure, PassesOnWhatTheRelaySays) {
  Error error = make_error(ErrorType::kUnauthorized, "HTTP 401").with("status", std::int64_t{401});
  error.details =
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"the token is not known"}})";
  const ConnectFailure failure = connect_failure("ws://h/acp", error, false);
  EXPECT_THAT(failure.error.explanation, HasSubstr("the token is not known"));
  EXPECT_THAT(failure.error.details, Not(HasSubstr("jsonrpc")));
}

}  // namespace
}  // namespace relay::cli
