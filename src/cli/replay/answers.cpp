#include "cli/replay/answers.hpp"

#include "cli/json_access.hpp"
#include "cli/permission.hpp"
#include "protocol/rpc.hpp"

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kPermission = "session/request_permission";

std::vector<PermissionOption> options_of(const json::object& params) {
  json::object message;
  message["params"] = params;
  return read_permission(message).options;
}

ReplayAnswer cancelled(std::string note) {
  ReplayAnswer answer;
  answer.member["result"] = permission_result(std::nullopt);
  answer.note = std::move(note);
  return answer;
}

// The option of the recording among those that are offered now.
ReplayAnswer permission(const RecordedQuestion& recorded, const json::object& params) {
  const json::object* result = object_at(recorded.answer, "result");
  const json::object* outcome = result != nullptr ? object_at(*result, "outcome") : nullptr;
  const std::string_view id = outcome != nullptr ? string_at(*outcome, "optionId") : "";
  if (id.empty()) return {recorded.answer, recorded.at_cancel, {}};
  std::string kind;
  for (const PermissionOption& option : options_of(recorded.params)) {
    if (option.id == id) kind = option.kind;
  }
  const std::vector<PermissionOption> offered = options_of(params);
  const PermissionOption* found = nullptr;
  for (const PermissionOption& option : offered) {
    if (option.kind != kind) continue;
    if (found == nullptr || option.id == id) found = &option;
  }
  if (found == nullptr) {
    return cancelled("a permission is answered with cancelled: no option of the kind \"" + kind +
                     "\" is offered");
  }
  ReplayAnswer answer;
  answer.at_cancel = recorded.at_cancel;
  answer.member["result"] = permission_result(*found);
  return answer;
}

}  // namespace

ReplayAnswer RecordedAnswers::answer(std::string_view method, const json::object& params) {
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    if (used_[i] || questions_[i].method != method) continue;
    used_[i] = true;
    if (questions_[i].answer.empty()) break;
    if (method == kPermission) return permission(questions_[i], params);
    return {questions_[i].answer, questions_[i].at_cancel, {}};
  }
  const std::string note = "the recording has no answer to this " + std::string(method);
  if (method == kPermission) return cancelled(note);
  ReplayAnswer answer;
  json::object error;
  error["code"] = rpc::kMethodNotFound;
  error["message"] = note;
  answer.member["error"] = std::move(error);
  answer.note = note;
  return answer;
}

}  // namespace relay::cli
