#include "session/agent_failure.hpp"

#include "protocol/accepted_json.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <variant>

namespace relay {
namespace {

// What is quoted of stderr in an error; the log has the rest.
constexpr std::size_t kQuotedStderr = 4096;

std::string tail(std::string_view text) {
  if (text.size() > kQuotedStderr) {
    text.remove_prefix(text.size() - kQuotedStderr);
    if (const auto line = text.find('\n'); line != std::string_view::npos)
      text.remove_prefix(line + 1);
  }
  return std::string(text);
}

void add_stderr(Error& error, std::string_view text) {
  if (!text.empty()) error.state.emplace_back("stderr", tail(text));
}

// A working directory that a client names is its own affair.
bool is_of_the_relays_directory(const Error& error) {
  return error.type == ErrorType::kWorkspaceUnavailable &&
         std::ranges::any_of(error.state, [](const auto& known) {
           const auto* const key = std::get_if<std::string>(&known.second);
           return known.first == "key" && key != nullptr && *key == "container.workspace_base_dir";
         });
}

}  // namespace

bool is_agents_failure(std::string_view error_json) {
  const auto code = object_member(error_json, "code");
  if (!code) return true;
  for (const int others : {rpc::kInvalidRequest, rpc::kMethodNotFound, rpc::kInvalidParams,
                           acp::kAuthRequired, acp::kRequestCancelled}) {
    if (*code == std::to_string(others)) return false;
  }
  return true;
}

bool wants_a_login(std::string_view error_json) {
  return object_member(error_json, "code") == std::to_string(acp::kAuthRequired);
}

// A limit of the container that the agent meets before anybody has asked it for something is too
// low.
bool is_failed_start(const Error& error) {
  return (is_service_failure(error.type) || is_of_the_relays_directory(error) ||
          error.type == ErrorType::kContainerResourceExceeded) &&
         (error.agent_error.empty() || is_agents_failure(error.agent_error));
}

std::string describe_exit(const AgentExit& exit) {
  if (exit.cause) return exit.cause->explanation;
  if (exit.signal) return fmt::format("signal {} ({})", *exit.signal, ::strsignal(*exit.signal));
  if (exit.exit_code) return fmt::format("exit code {}", *exit.exit_code);
  return "unknown cause";
}

Error agent_exited(const AgentExit& exit, std::string_view phase) {
  Error error = exit.cause.value_or(
      make_error(ErrorType::kAgentExited,
                 fmt::format("the agent ended during {}: {}", phase, describe_exit(exit))));
  error.state.emplace_back("phase", std::string(phase));
  if (exit.exit_code) error.state.emplace_back("exit_code", std::int64_t{*exit.exit_code});
  if (exit.signal) error.state.emplace_back("signal", std::int64_t{*exit.signal});
  if (exit.oom_killed && !exit.cause) error.state.emplace_back("oom_killed", true);
  add_stderr(error, exit.stderr_tail);
  if (exit.cause) return error;
  if (exit.exit_code == 0) {
    error.possible_causes = {"the agent decided to end", "its input was closed"};
  } else if (exit.exit_code == 127 || exit.exit_code == 126) {
    error.possible_causes = {
        "a program that the agent command starts is missing or not executable"};
  } else {
    error.possible_causes = {"the agent crashed or was killed",
                             "it lacks a setting or a key (agent.env)"};
  }
  error.suggested_actions = {
      "read relevant_state.stderr and the relay's log",
      "run the agent (agent.command or container.image) by hand and send it an initialize request",
      "make a new session with session/new"};
  error.recoverable = true;
  return error;
}

Error agent_timed_out(const Silence& silence) {
  const bool contained = silence.isolation == Isolation::kContainer;
  Error error = make_error(
      ErrorType::kAgentConnectionTimeout,
      fmt::format("the agent did not answer {} within {} ms{}", silence.phase,
                  silence.limit.count(), silence.said.empty() ? "" : ", but said something else"));
  if (!silence.said.empty()) {
    error.possible_causes.push_back("it prints on stdout what is no ACP message: " +
                                    json_string(silence.said));
    error.state.emplace_back("first_line", std::string(silence.said));
  }
  for (std::string cause :
       {std::string("the agent is still starting (a download, a cold cache)"),
        fmt::format("{} is not an ACP agent, or speaks it only with a flag",
                    contained ? "what container.image runs" : "agent.command")}) {
    error.possible_causes.push_back(std::move(cause));
  }
  error.suggested_actions = {
      fmt::format("raise {}",
                  contained ? "container.startup_timeout" : "agent.startup_timeout_seconds"),
      fmt::format("run {} by hand and send it an initialize request",
                  contained ? "container.image with docker run -i --rm" : "agent.command")};
  error.state.emplace_back("phase", std::string(silence.phase));
  error.state.emplace_back("limit_ms", std::int64_t{silence.limit.count()});
  add_stderr(error, silence.stderr_tail);
  error.recoverable = true;
  return error;
}

Error agent_refused(std::string_view method, std::string_view error_json) {
  Error error = make_error(ErrorType::kAgentStartFailed,
                           fmt::format("the agent answered {} with an error", method));
  error.state.emplace_back("phase", std::string(method));
  boost::system::error_code failure;
  const boost::json::value parsed = parse_accepted(error_json, failure);
  const boost::json::object* object = failure ? nullptr : parsed.if_object();
  const boost::json::value* code = object != nullptr ? object->if_contains("code") : nullptr;
  const boost::json::value* message = object != nullptr ? object->if_contains("message") : nullptr;
  if (code != nullptr && code->is_int64())
    error.state.emplace_back("agent_error_code", code->as_int64());
  if (message != nullptr && message->is_string()) {
    error.explanation += ": ";
    error.explanation += message->as_string();
  }
  error.details = error_json;
  error.agent_error = error_json;
  if (code != nullptr && code->is_int64() && code->as_int64() == acp::kAuthRequired) {
    error.possible_causes = {std::string(acp::kLoginCause)};
    error.suggested_actions = {std::string(acp::kLoginRemedy)};
  } else {
    error.suggested_actions = {"read details and the relay's log"};
  }
  return error;
}

}  // namespace relay
