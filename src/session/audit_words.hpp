// What the audit trail says of a client's message: which option, mode or action was chosen, never
// what was asked or written. Pure.
#pragma once

#include "protocol/acp.hpp"
#include "protocol/frame.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace relay {

struct AuditWords {
  std::string_view action;
  std::string detail;
};

// An answer of a client to a request of the agent; nothing: of a kind that decides nothing.
std::optional<AuditWords> audit_words_of_answer(acp::ReverseKind kind, std::string_view member,
                                                std::string_view json);

// A request for another mode, or for another value of an option.
std::optional<AuditWords> audit_words_of_request(const Frame& frame);

}  // namespace relay
