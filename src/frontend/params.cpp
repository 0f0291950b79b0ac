#include "frontend/params.hpp"

#include "protocol/json_scan.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>

namespace relay::frontend {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxEnvironment = 128;

Error invalid(std::string explanation) {
  return make_error(ErrorType::kInvalidParams, std::move(explanation));
}

// Members of a params object, with one error for the first that is not what it should be.
class Params {
 public:
  explicit Params(std::string_view text) {
    if (text.empty()) return;
    boost::system::error_code failure;
    value_ = json::parse(text, failure);
    if (failure || (!value_.is_object() && !value_.is_null())) {
      error_ = invalid("params must be an object");
    }
  }

  const json::value* find(std::string_view key) const {
    const json::object* object = value_.if_object();
    const json::value* found = object != nullptr ? object->if_contains(key) : nullptr;
    return found != nullptr && !found->is_null() ? found : nullptr;
  }

  std::string text(std::string_view key) {
    const json::value* found = find(key);
    if (found == nullptr) return {};
    if (!found->is_string()) {
      fail(std::string(key) + " must be a string");
      return {};
    }
    return std::string(found->as_string());
  }

  std::int64_t number(std::string_view key, std::int64_t fallback, std::int64_t least) {
    const json::value* found = find(key);
    if (found == nullptr) return fallback;
    boost::system::error_code failure;
    const auto value = found->to_number<std::int64_t>(failure);
    if (failure || value < least) {
      fail(std::string(key) + " must be a whole number of at least " + std::to_string(least));
      return fallback;
    }
    return value;
  }

  bool flag(std::string_view key) {
    const json::value* found = find(key);
    if (found == nullptr) return false;
    if (!found->is_bool()) fail(std::string(key) + " must be true or false");
    return found->is_bool() && found->as_bool();
  }

  std::string session_id() {
    std::string id = text("sessionId");
    if (id.empty() && !error_) fail("sessionId is missing");
    return id;
  }

  void fail(std::string explanation) {
    if (!error_) error_ = invalid(std::move(explanation));
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  json::value value_;
  std::optional<Error> error_;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

void add_variable(Params& params, Environment& into, const json::value* name,
                  const json::value* value) {
  if (name == nullptr || !name->is_string() || value == nullptr || !value->is_string()) {
    params.fail(R"(env must be {"NAME": "value"} or [{"name": "NAME", "value": "value"}])");
    return;
  }
  into.emplace_back(std::string(name->as_string()), std::string(value->as_string()));
}

Environment environment(Params& params) {
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
  if (variables.size() > kMaxEnvironment) {
    params.fail("env has more than " + std::to_string(kMaxEnvironment) + " variables");
  }
  return variables;
}

std::optional<Error> forbidden_variable(const Environment& environment,
                                        const std::vector<std::string>& allowed) {
  for (const auto& [name, value] : environment) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return invalid("clients may not set the environment variable " + name)
          .suggest("leave it out, or have the operator add it to agent.client_env")
          .with("variable", name);
    }
    if (value.find('\0') != std::string::npos) {
      return invalid("the value of the environment variable " + name + " contains a NUL");
    }
  }
  return std::nullopt;
}

}  // namespace

Result<NewSession> read_new_session(std::string_view text,
                                    const std::vector<std::string>& allowed_environment) {
  Params params(text);
  NewSession request;
  request.working_directory = params.text("workingDirectory");
  if (request.working_directory.empty()) request.working_directory = params.text("cwd");
  const std::string& cwd = request.working_directory;
  if (!cwd.empty() &&
      (cwd.front() != '/' || cwd.size() > kMaxPath || cwd.find('\0') != std::string::npos)) {
    params.fail("workingDirectory must be an absolute path of at most " + std::to_string(kMaxPath) +
                " bytes");
  }
  if (const json::value* servers = params.find("mcpServers")) {
    if (servers->is_array()) {
      request.mcp_servers = object_member(text, "mcpServers").value_or("[]");
    } else {
      params.fail("mcpServers must be an array");
    }
  }
  request.environment = environment(params);
  if (params.error()) return *params.error();
  if (auto error = forbidden_variable(request.environment, allowed_environment)) return *error;
  return request;
}

Result<HistoryRequest> read_history(std::string_view text) {
  Params params(text);
  HistoryRequest request;
  request.session_id = params.session_id();
  request.after = params.number("after", 0, 0);
  request.limit = static_cast<std::size_t>(params.number("limit", 100, 1));
  if (params.error()) return *params.error();
  request.limit = std::min(request.limit, kMaxHistoryPage);
  return request;
}

Result<ResumeRequest> read_resume(std::string_view text) {
  Params params(text);
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
  Params params(text);
  ListRequest request;
  request.cursor = params.text("cursor");
  request.limit = static_cast<std::size_t>(params.number("limit", 100, 1));
  request.only_active = params.flag("activeOnly");
  if (params.error()) return *params.error();
  request.limit = std::min(request.limit, kMaxListPage);
  return request;
}

Result<AnswerRequest> read_answer(std::string_view text) {
  Params params(text);
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

std::optional<storage::Sequence> read_sequence(std::string_view text) {
  storage::Sequence number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace relay::frontend
