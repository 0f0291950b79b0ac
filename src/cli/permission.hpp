// An agent's request for permission: the question as text, and what an answer means. Pure.
#pragma once

#include "cli/command.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

struct PermissionOption {
  std::string id;
  std::string name;
  std::string kind;  // allow_once, allow_always, reject_once, reject_always: a hint
};

struct PermissionRequest {
  boost::json::value request_id;  // as it came, to be given back
  std::string title;              // what the agent wants to do
  std::vector<PermissionOption> options;
};

// From a `session/request_permission` request. Odd members are left out.
PermissionRequest read_permission(const boost::json::object& message);

// "The agent asks: ...", the numbered options and the prompt.
std::string question_text(const PermissionRequest& request);

// The option that the policy takes: the "once" kind before the "always" kind. Nothing: cancelled.
std::optional<PermissionOption> option_for(const PermissionRequest& request,
                                           PermissionPolicy policy);

// What was typed: a number picks an option, an empty line or "c" cancels, anything else is unclear.
struct Answer {
  enum class Kind { kOption, kCancel, kUnclear };
  Kind kind = Kind::kUnclear;
  PermissionOption option;
};
Answer read_answer(const PermissionRequest& request, std::string_view typed);

// The result to send: the option, or "cancelled" without one.
boost::json::object permission_result(const std::optional<PermissionOption>& option);

}  // namespace relay::cli
