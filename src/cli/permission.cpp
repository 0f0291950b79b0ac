#include "cli/permission.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <charconv>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTitle = 400;
constexpr std::size_t kMaxName = 100;

}  // namespace

PermissionRequest read_permission(const json::object& message) {
  PermissionRequest request;
  if (const json::value* id = message.if_contains("id")) request.request_id = *id;
  const json::object* params = object_at(message, "params");
  if (params == nullptr) return request;
  if (const json::object* tool = object_at(*params, "toolCall")) {
    request.title = string_at(*tool, "title");
    if (request.title.empty()) request.title = string_at(*tool, "toolCallId");
  }
  if (const json::array* options = array_at(*params, "options")) {
    for (const json::value& item : *options) {
      const json::object* option = item.if_object();
      if (option == nullptr || string_at(*option, "optionId").empty()) continue;
      request.options.push_back({std::string(string_at(*option, "optionId")),
                                 std::string(string_at(*option, "name")),
                                 std::string(string_at(*option, "kind"))});
    }
  }
  return request;
}

std::string question_text(const PermissionRequest& request) {
  std::string text = "The agent asks for permission: " +
                     one_line(request.title.empty() ? "(no title)" : request.title, kMaxTitle);
  for (std::size_t i = 0; i < request.options.size(); ++i) {
    const PermissionOption& option = request.options[i];
    text += "\n  " + std::to_string(i + 1) + ") " +
            one_line(option.name.empty() ? option.id : option.name, kMaxName);
    if (!option.kind.empty()) text += " [" + one_line(option.kind, kMaxName) + "]";
  }
  return text + "\nNumber, or Enter to cancel: ";
}

std::optional<PermissionOption> option_for(const PermissionRequest& request,
                                           PermissionPolicy policy) {
  if (policy == PermissionPolicy::kAsk) return std::nullopt;
  const std::string wanted = policy == PermissionPolicy::kAllow ? "allow" : "reject";
  for (const char* extent : {"_once", "_always"}) {
    for (const PermissionOption& option : request.options) {
      if (option.kind == wanted + extent) return option;
    }
  }
  return std::nullopt;
}

Answer read_answer(const PermissionRequest& request, std::string_view typed) {
  while (!typed.empty() && (typed.back() == ' ' || typed.back() == '\r')) typed.remove_suffix(1);
  while (!typed.empty() && typed.front() == ' ') typed.remove_prefix(1);
  if (typed.empty() || typed == "c" || typed == "cancel") return {Answer::Kind::kCancel, {}};
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(typed.data(), typed.data() + typed.size(), number);
  if (error != std::errc() || end != typed.data() + typed.size()) return {};
  if (number < 1 || number > request.options.size()) return {};
  return {Answer::Kind::kOption, request.options[number - 1]};
}

json::object permission_result(const std::optional<PermissionOption>& option) {
  json::object outcome;
  outcome["outcome"] = option ? "selected" : "cancelled";
  if (option) outcome["optionId"] = option->id;
  json::object result;
  result["outcome"] = std::move(outcome);
  return result;
}

}  // namespace relay::cli
