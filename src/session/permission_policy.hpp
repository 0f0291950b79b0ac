// Answers to session/request_permission, by people and by policy. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relay {

// sessions.permission_default
enum class PermissionDefault { kCancelled, kReject, kAllow };

// The result that the policy gives for the request's params: the first option of the wanted kind
// (once before always), otherwise the outcome `cancelled`.
std::string policy_answer(std::string_view request_params, PermissionDefault policy);

// What a turn's result tells of an answer that the policy gave: the tool call as it was asked for,
// shortened, the outcome, the kind of the option, and `by`: "policy". A JSON object.
std::string policy_decision(std::string_view request_params, std::string_view answer_result);

// A result that decides: outcome `cancelled`, or `selected` with one of the offered options.
bool is_decision(std::string_view answer_result, std::string_view request_params);

}  // namespace relay
