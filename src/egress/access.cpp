#include "egress/access.hpp"

#include "base/path_pattern.hpp"
#include "egress/request_target.hpp"
#include "http/header_fields.hpp"

#include <algorithm>
#include <array>

namespace relay::egress {
namespace {

// Of text that an agent chose, in an explanation.
constexpr std::size_t kMaxQuoted = 200;
constexpr std::size_t kLongestMethod = 32;  // as in the configuration

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

// The last makes another connection of this one, the others would send the credential back.
bool is_never_passed_on(std::string_view method) {
  constexpr std::array<std::string_view, 3> kMethods{"TRACE", "TRACK", "CONNECT"};
  return std::ranges::any_of(
      kMethods, [method](std::string_view one) { return http::equals_ignoring_case(one, method); });
}

bool allows(const AllowRule& rule, std::string_view method, std::string_view path) {
  return (rule.methods.empty() || std::ranges::find(rule.methods, method) != rule.methods.end()) &&
         path_matches(rule.path, path);
}

}  // namespace

std::string_view name_of(Refusal refusal) {
  constexpr std::array<std::string_view, 11> kNames{
      "bad_request",   "no_token",    "unknown_upstream", "not_allowed", "over_budget",
      "no_credential", "unreachable", "timed_out",        "bad_answer",  "too_many_connections",
      "agent_left"};
  return kNames.at(static_cast<std::size_t>(refusal));
}

Verdict judge(std::string_view method, std::string_view target,
              std::span<const Upstream> upstreams) {
  if (method.size() > kLongestMethod) {
    return Denial{Refusal::kBadRequest, 400, "the method is longer than 32 characters", "", ""};
  }
  const Result<RequestTarget> parsed = parse_request_target(target);
  if (!parsed) {
    return Denial{Refusal::kBadRequest, 400, parsed.error().explanation.substr(0, kMaxQuoted), "",
                  "Ask for /UPSTREAM/PATH, as the agent's base URL says."};
  }
  const auto upstream = std::ranges::find(upstreams, parsed->upstream, &Upstream::name);
  if (upstream == upstreams.end()) {
    return Denial{Refusal::kUnknownUpstream, 403,
                  "this session has no upstream " + quoted(parsed->upstream) + "; it has " +
                      names_of(upstreams),
                  "egress.upstreams", "Name the upstream there, and give it to the agent."};
  }
  if (is_never_passed_on(method)) {
    return Denial{Refusal::kNotAllowed, 405, std::string(method) + " is never passed on", "", "",
                  upstream->name};
  }
  const auto fits = [&](const AllowRule& rule) { return allows(rule, method, parsed->path); };
  const auto rule = std::ranges::find_if(upstream->allow, fits);
  if (!upstream->allow.empty() && rule == upstream->allow.end()) {
    return Denial{
        Refusal::kNotAllowed,
        403,
        quoted(method) + " " + quoted(parsed->path) + " is in no allow rule of " + upstream->name,
        "egress.upstreams." + upstream->name + ".allow",
        "Add a rule if agents need it.",
        upstream->name};
  }
  Passage passage{&*upstream, upstream->base_path + std::string(parsed->raw_path),
                  upstream->allow.empty() ? nullptr : &*rule};
  const bool in_query = upstream->credential.kind == CredentialPlace::Kind::kQuery;
  const std::string query =
      without_withheld(parsed->query, in_query ? upstream->credential.name : std::string());
  if (!query.empty()) passage.target += "?" + query;
  return passage;
}

}  // namespace relay::egress
