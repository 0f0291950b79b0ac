// What is said of agents' requests to upstreams: in metrics, in the audit trail, to clients, and in
// a session's row of the log. Pure.
#pragma once

#include "app/request_trail.hpp"
#include "base/error.hpp"
#include "egress/broker.hpp"
#include "metrics/labels.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace relay::app {

// Whether the relay denied it or cut it off; not whether the agent left before its answer.
bool is_denied(const egress::Account& account);

metrics::RequestOutcome outcome_of(const egress::Account& account);

// Of a denied one: what, why, and what would change it.
Error denial_notice(const egress::Account& account);
// Notices of the same kind are told rarely.
std::string kind_of_notice(const egress::Account& account);

// The path has nothing of the query, is redacted while it is whole, and has kMaxAuditedPath bytes
// of printable ASCII at most.
inline constexpr std::size_t kMaxAuditedPath = 80;
using RedactText = std::function<std::string(std::string_view)>;
AuditedRequest audited(const egress::Account& account, const RedactText& redact);

// {"own":{"requests":2,"sentBytes":5,"receivedBytes":64,"tokens":6,"failed":0}}; empty: nothing was
// used.
std::string use_text(const egress::SpentByUpstream& spent);
// From such a text; what can't be read was not used.
egress::SpentByUpstream spent_in(std::string_view text);

}  // namespace relay::app
