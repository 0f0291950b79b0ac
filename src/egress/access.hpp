// Whether an agent's request may go out, and where to. Pure.
#pragma once

#include "egress/upstream.hpp"

#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace relay::egress {

// Why a request does not go out, or did not come through: the label of metrics and the code of the
// answer.
enum class Refusal {
  kBadRequest,          // it is not one, or its path may be read in two ways
  kNoToken,             // it has not the session's token, which it needs
  kUnknownUpstream,     // its path names none
  kNotAllowed,          // no allow rule has its method and path
  kOverBudget,          // the session has used up what it may
  kNoCredential,        // the upstream's credential can't be had
  kUnreachable,         // the upstream refuses, resets, is no TLS server of that name
  kTimedOut,            // the upstream is silent
  kBadAnswer,           // what it says is not HTTP
  kTooManyConnections,  // of one session, or to one upstream
  kAgentLeft            // before an answer was there; nobody reads this
};

std::string_view name_of(Refusal refusal);  // "not_allowed"

struct Denial {
  Refusal refusal = Refusal::kBadRequest;
  int status = 400;
  std::string explanation;
  std::string key;            // of the configuration, which would change it; empty where none does
  std::string remedy;         // a sentence
  std::string upstream = {};  // that judge() found
  // For the relay's log, not for the agent: what names files and programs of this host.
  std::string detail = {};
};

struct Passage {
  const Upstream* upstream = nullptr;
  std::string target;               // at the upstream, without the credential
  const AllowRule* rule = nullptr;  // that lets it through; null: the upstream has none
};

using Verdict = std::variant<Passage, Denial>;

// `target` as it stood in the request line. What is in the passage lies in `upstreams`.
Verdict judge(std::string_view method, std::string_view target,
              std::span<const Upstream> upstreams);

}  // namespace relay::egress
