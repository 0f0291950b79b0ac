#include "session/permission_policy.hpp"

#include "protocol/accepted_json.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_text.hpp"

#include <boost/json.hpp>

#include <initializer_list>

namespace relay {
namespace json = boost::json;
namespace {

json::value parse(std::string_view text) {
  boost::system::error_code failure;
  json::value value = parse_accepted(text, failure);
  return failure ? json::value() : value;
}

const json::value* member(const json::value* value, std::string_view key) {
  const json::object* object = value != nullptr ? value->if_object() : nullptr;
  return object != nullptr ? object->if_contains(key) : nullptr;
}

std::string_view text(const json::value* value) {
  const json::string* string = value != nullptr ? value->if_string() : nullptr;
  return string != nullptr ? std::string_view(*string) : std::string_view();
}

const json::array* options_of(const json::value& params) {
  const json::value* options = member(&params, "options");
  return options != nullptr ? options->if_array() : nullptr;
}

// As much as a result can hold of many; cut bytes become U+FFFD.
std::string_view shortened(std::string_view words) { return words.substr(0, 200); }

std::string selected(std::string_view option) {
  return R"({"outcome":{"outcome":"selected","optionId":)" + json_string(option) + "}}";
}

}  // namespace

std::string policy_answer(std::string_view request_params, PermissionDefault policy) {
  if (policy != PermissionDefault::kCancelled) {
    const bool allow = policy == PermissionDefault::kAllow;
    const json::value params = parse(request_params);
    const json::array* options = options_of(params);
    for (const std::string_view kind :
         {allow ? "allow_once" : "reject_once", allow ? "allow_always" : "reject_always"}) {
      if (options == nullptr) break;
      for (const json::value& option : *options) {
        const std::string_view id = text(member(&option, "optionId"));
        if (text(member(&option, "kind")) == kind && !id.empty()) return selected(id);
      }
    }
  }
  return std::string(acp::kCancelledOutcome);
}

std::string policy_decision(std::string_view request_params, std::string_view answer_result) {
  const json::value params = parse(request_params);
  const json::value answer = parse(answer_result);
  const json::value* const outcome = member(&answer, "outcome");
  const std::string_view chosen = text(member(outcome, "optionId"));
  const json::value* const tool = member(&params, "toolCall");
  JsonObject about;
  about.text("toolCallId", shortened(text(member(tool, "toolCallId"))));
  about.text("title", shortened(text(member(tool, "title"))));
  JsonObject decision;
  JsonObject made;
  made.text("outcome", shortened(text(member(outcome, "outcome"))));
  if (!chosen.empty()) made.text("optionId", shortened(chosen));
  decision.raw("toolCall", about.take()).raw("outcome", made.take());
  const json::array* const options = options_of(params);
  if (options != nullptr && !chosen.empty()) {
    for (const json::value& option : *options) {
      if (text(member(&option, "optionId")) != chosen) continue;
      decision.text("kind", shortened(text(member(&option, "kind"))));
      break;
    }
  }
  return decision.text("by", "policy").take();
}

bool is_decision(std::string_view answer_result, std::string_view request_params) {
  const json::value answer = parse(answer_result);
  const json::value* outcome = member(&answer, "outcome");
  const std::string_view word = text(member(outcome, "outcome"));
  if (word == "cancelled") return true;
  const std::string_view chosen = text(member(outcome, "optionId"));
  if (word != "selected" || chosen.empty()) return false;
  const json::value params = parse(request_params);
  const json::array* options = options_of(params);
  if (options == nullptr) return true;  // nothing to check it against
  for (const json::value& option : *options) {
    if (text(member(&option, "optionId")) == chosen) return true;
  }
  return false;
}

}  // namespace relay
