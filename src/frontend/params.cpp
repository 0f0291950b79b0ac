#include "frontend/params.hpp"

#include "frontend/json_params.hpp"
#include "protocol/json_scan.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace relay::frontend {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxEnvironment = 128;

using Environment = std::vector<std::pair<std::string, std::string>>;

void add_variable(JsonParams& params, Environment& into, const json::value* name,
                  const json::value* value) {
  if (name == nullptr || !name->is_string() || value == nullptr || !value->is_string()) {
    params.fail(R"(env must be {"NAME": "value"} or [{"name": "NAME", "value": "value"}])");
    return;
  }
  into.emplace_back(std::string(name->as_string()), std::string(value->as_string()));
}

Environment environment(JsonParams& params) {
  Environment variables;
  const json::value* env = params.find("env");
  if (env == nullptr) return variables;
  if (const json::object* object = env->if_object()) {
    for (const auto& member : *object) {
      const json::value name(member.key());
      add_variable(params, variables, &name, &member.value());
    }
  } else if (const json::array* list = env->if_array()) {
    for (const json::value& item : *list) {
      const json::object* pair = item.if_object();
      add_variable(params, variables, pair != nullptr ? pair->if_contains("name") : nullptr,
                   pair != nullptr ? pair->if_contains("value") : nullptr);
    }
  } else {
    add_variable(params, variables, nullptr, nullptr);
  }
  for (const auto& [name, value] : variables) {
    if (value.find('\0') == std::string::npos) continue;
    params.fail("the value of the environment variable " + name + " contains a NUL");
  }
  if (variables.size() > kMaxEnvironment) {
    params.fail("env has more than " + std::to_string(kMaxEnvironment) + " variables");
  }
  return variables;
}

// All that is not the relay's own reaches the agent as it is: _meta, additionalDirectories, and
// what later versions of the protocol bring.
std::string for_agent(std::string_view params) {
  std::string left(params);
  for (const char* own : {"agent", "workingDirectory", "cwd", "env", "sessionId"}) {
    left = without_member(left, own);
  }
  return left;
}

struct OwnMethod {
  std::string_view name;
  std::string_view remedy;
};

// What the relay does itself, or has to know of.
constexpr std::array<OwnMethod, 14> kOwnMethods{{
    {"initialize", "the relay has sent it when the session was made"},
    {"session/new", "POST /session/new"},
    {"session/load",
     "POST /session/resume for a live session; /acp has session/load for a closed one"},
    {"session/resume", "POST /session/resume for a live session; /acp has it for a closed one"},
    {"session/fork", "POST /session/fork"},
    {"session/prompt", "POST /session/prompt"},
    {"session/cancel", "POST /session/cancel"},
    {"session/close", "POST /session/close"},
    {"session/delete", "POST /session/delete"},
    {"session/list", "POST /session/list"},
    {"session/history", "POST /session/history"},
    {"session/respond", "POST /session/respond"},
    {"session/request", "name the agent's method in params.method"},
    {"$/cancel_request", "POST /session/cancel, which ends the turn"},
}};

Error own_method(const OwnMethod& own) {
  return make_error(ErrorType::kInvalidParams,
                    std::string(own.name) + " is not passed on by session/request")
      .because("the relay does it itself")
      .suggest(std::string(own.remedy))
      .with("method", std::string(own.name));
}

}  // namespace

Result<NewSession> read_new_session(std::string_view text) {
  JsonParams params(text);
  NewSession request;
  request.agent = params.text("agent");
  request.working_directory = params.path("workingDirectory");
  if (request.working_directory.empty()) request.working_directory = params.path("cwd");
  const json::value* const servers = params.find("mcpServers");
  if (servers != nullptr && !servers->is_array()) params.fail("mcpServers must be an array");
  if (text.starts_with('{')) request.session_params = for_agent(text);
  request.environment = environment(params);
  if (params.error()) return *params.error();
  return request;
}

Result<ForkRequest> read_fork(std::string_view text) {
  auto id = read_forked_id(text);
  if (!id) return id.error();
  auto session = read_new_session(text);
  if (!session) return session.error();
  if (!session->agent.empty()) {
    JsonParams params(text);
    params.fail("agent can't be chosen: a fork has the agent of its session");
    return *params.error();
  }
  return ForkRequest{std::move(*id), std::move(*session)};
}

Result<std::string> read_forked_id(std::string_view text) {
  JsonParams params(text);
  std::string id = params.session_id();
  if (params.find("cursorId") != nullptr) {
    params.fail("cursorId can't be used: a session is forked as it is now");
  }
  if (params.error()) return *params.error();
  return id;
}

Result<HistoryRequest> read_history(std::string_view text) {
  JsonParams params(text);
  HistoryRequest request;
  request.session_id = params.session_id();
  request.after = params.number("after", 0, 0);
  request.limit = static_cast<std::size_t>(params.number("limit", 100, 1));
  if (params.error()) return *params.error();
  request.limit = std::min(request.limit, kMaxHistoryPage);
  return request;
}

Result<ResumeRequest> read_resume(std::string_view text) {
  JsonParams params(text);
  ResumeRequest request;
  request.session_id = params.session_id();
  request.after = params.number("after", 0, 0);
  const std::string role = params.text("role");
  if (!role.empty() && role != "observer" && role != "user") {
    params.fail(R"(role must be "user" or "observer")");
  }
  request.observe = role == "observer";
  if (params.error()) return *params.error();
  return request;
}

Result<ListRequest> read_list(std::string_view text) {
  JsonParams params(text);
  ListRequest request;
  request.cursor = params.text("cursor");
  request.limit = static_cast<std::size_t>(params.number("limit", 100, 1));
  request.only_active = params.flag("activeOnly");
  if (params.error()) return *params.error();
  request.limit = std::min(request.limit, kMaxListPage);
  return request;
}

Result<AnswerRequest> read_answer(std::string_view text) {
  JsonParams params(text);
  AnswerRequest request;
  request.session_id = params.session_id();
  request.request_id = params.number("requestId", -1, 0);
  if (request.request_id < 0) params.fail("requestId is missing");
  const bool result = params.find("result") != nullptr;
  const bool error = params.find("error") != nullptr;
  if (result == error) params.fail("send either result or error");
  if (params.error()) return *params.error();
  request.member = result ? "result" : "error";
  request.json = object_member(text, request.member).value_or("null");
  return request;
}

Result<AgentRequest> read_agent_request(std::string_view text) {
  JsonParams params(text);
  AgentRequest request;
  request.session_id = params.session_id();
  request.method = params.text("method");
  if (request.method.empty()) params.fail("method is missing");
  const json::value* const given = params.find("params");
  if (given != nullptr && !given->is_object()) params.fail("params.params must be an object");
  if (params.error()) return *params.error();
  for (const OwnMethod& own : kOwnMethods) {
    if (request.method == own.name) return own_method(own);
  }
  request.params = given != nullptr ? object_member(text, "params").value_or("{}") : "{}";
  return request;
}

std::optional<storage::Sequence> read_sequence(std::string_view text) {
  storage::Sequence number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace relay::frontend
