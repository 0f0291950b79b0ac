#include "session/audit_words.hpp"

#include "protocol/json_scan.hpp"

#include <boost/json.hpp>

namespace relay {
namespace {

// The text of a member that is a string; else empty.
std::string text_member(std::string_view object, std::string_view key) {
  const auto found = object_member(object, key);
  if (!found || !found->starts_with('"')) return {};
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(*found, failure);
  return failure ? std::string() : std::string(value.get_string());
}

std::string permission_word(std::string_view result) {
  const std::string_view outcome = object_member(result, "outcome").value_or("");
  return text_member(outcome,
                     text_member(outcome, "outcome") == "selected" ? "optionId" : "outcome");
}

}  // namespace

std::optional<AuditWords> audit_words_of_answer(acp::ReverseKind kind, std::string_view member,
                                                std::string_view json) {
  const bool is_error = member == "error";
  if (kind == acp::ReverseKind::kPermission) {
    return AuditWords{"answered_permission", is_error ? "error" : permission_word(json)};
  }
  if (kind == acp::ReverseKind::kElicitation) {
    return AuditWords{"answered_elicitation", is_error ? "error" : text_member(json, "action")};
  }
  return std::nullopt;
}

std::optional<AuditWords> audit_words_of_request(const Frame& frame) {
  const std::string_view params = frame.params();
  if (frame.method() == acp::kSetMode) {
    return AuditWords{"changed_mode", text_member(params, "modeId")};
  }
  if (frame.method() == acp::kSetOption) {
    const std::string value = text_member(params, "value");
    return AuditWords{"changed_option",
                      text_member(params, "configId") + (value.empty() ? "" : "=" + value)};
  }
  return std::nullopt;
}

}  // namespace relay
