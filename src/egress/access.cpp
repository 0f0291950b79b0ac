#include "egress/access.hpp"

#include "base/path_pattern.hpp"
#include "egress/request_target.hpp"

#include <algorithm>
#include <array>

namespace relay::egress {
namespace {

// Of text that an agent chose, in an explanation.
constexpr std::size_t kMaxQuoted = 200;

std::string quoted(std::string_view text) {
  return "\"" + std::string(text.substr(0, kMaxQuoted)) +
         (text.size() > kMaxQuoted ? "...\"" : "\"");
}

std::string names_of(std::span<const Upstream> upstreams) {
  std::string names;
  for (const Upstream& upstream : upstreams) {
    if (!names.empty()) names += ", ";
    names += upstream.name;
  }
  return names.empty() ? "none" : names;
}

bool allows(const AllowRule& rule, std::string_view method, std::string_view path) {
  return (rule.methods.empty() || std::ranges::find(rule.methods, method) != rule.methods.end()) &&
         path_matches(rule.path, path);
}

}  // namespace

std::string_view name_of(Refusal refusal) {
  constexpr std::array<std::string_view, 9> kNames{
      "bad_request", "unknown_upstream", "not_allowed", "over_budget",         "no_credential",
      "unreachable", "timed_out",        "bad_answer",  "too_many_connections"};
  return kNames.at(static_cast<std::size_t>(refusal));
}

Verdict judge(std::string_view method, std::string_view target,
              std::span<const Upstream> upstreams) {
  const Result<RequestTarget> parsed = parse_request_target(target);
  if (!parsed) {
    return Denial{Refusal::kBadRequest, 400, parsed.error().explanation, "",
                  "Ask for /UPSTREAM/PATH, as the agent's base URL says."};
  }
  const auto upstream = std::ranges::find(upstreams, parsed->upstream, &Upstream::name);
  if (upstream == upstreams.end()) {
    return Denial{Refusal::kUnknownUpstream, 403,
                  "this session has no upstream " + quoted(parsed->upstream) + "; it has " +
                      names_of(upstreams),
                  "egress.upstreams", "Name the upstream there, and give it to the agent."};
  }
  if (method == "TRACE" || method == "CONNECT") {
    // The first would send the credential back.
    return Denial{Refusal::kNotAllowed, 405, std::string(method) + " is never passed on", "", "",
                  upstream->name};
  }
  const auto fits = [&](const AllowRule& rule) { return allows(rule, method, parsed->path); };
  if (!upstream->allow.empty() && std::ranges::none_of(upstream->allow, fits)) {
    return Denial{
        Refusal::kNotAllowed,
        403,
        quoted(method) + " " + quoted(parsed->path) + " is in no allow rule of " + upstream->name,
        "egress.upstreams." + upstream->name + ".allow",
        "Add a rule if agents need it.",
        upstream->name};
  }
  Passage passage{&*upstream, upstream->base_path + std::string(parsed->raw_path)};
  const bool in_query = upstream->credential.kind == CredentialPlace::Kind::kQuery;
  const std::string query =
      without_parameters(parsed->query, "key", in_query ? upstream->credential.name : "key");
  if (!query.empty()) passage.target += "?" + query;
  return passage;
}

}  // namespace relay::egress
