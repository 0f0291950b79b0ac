#include "cli/egress_view.hpp"

#include "cli/terminal_text.hpp"

#include <variant>

namespace relay::cli {
namespace {

constexpr std::size_t kWidest = 1000;

using egress::CredentialPlace;
using egress::Denial;
using egress::Passage;
using egress::TunnelPassage;

std::string key_of(const Passage& passage) {
  const std::string upstream = "egress.upstreams." + passage.upstream->name;
  if (passage.rule == nullptr) return upstream;
  const auto place = passage.rule - passage.upstream->allow.data();
  return upstream + ".allow[" + std::to_string(place) + "]";
}

std::string rule_text(const Passage& passage) {
  if (passage.rule == nullptr)
    return "it has no allow rules, so everything below its url is allowed";
  std::string methods;
  for (const std::string& method : passage.rule->methods) {
    methods += (methods.empty() ? "" : ", ") + method;
  }
  return (methods.empty() ? "any method" : methods) + " " + passage.rule->path;
}

std::string place_text(const CredentialPlace& place) {
  switch (place.kind) {
    case CredentialPlace::Kind::kHeader:
      return "header " + place.name;
    case CredentialPlace::Kind::kQuery:
      return "query parameter " + place.name;
    default:
      return "none";
  }
}

std::string goes_to(const Passage& passage) {
  return passage.upstream->endpoint.to_string() + passage.target;
}

}  // namespace

std::string egress_text(const EgressQuestion& question, const EgressVerdict& verdict) {
  const std::string asked =
      one_line(question.method + " " + question.url, kWidest) + " by " + question.agent + "\n";
  if (const auto* denial = std::get_if<Denial>(&verdict)) {
    std::string text = "denied: " + asked;
    text += "  why         " + one_line(denial->explanation, kWidest) + "\n";
    text += "  answer      " + std::to_string(denial->status) + " " +
            std::string(name_of(denial->refusal)) + "\n";
    if (!denial->key.empty()) text += "  key         " + denial->key + "\n";
    if (!denial->remedy.empty()) text += "  remedy      " + denial->remedy + "\n";
    return text;
  }
  if (const auto* tunnel = std::get_if<TunnelPassage>(&verdict)) {
    return "allowed: " + asked + "  rule        " + question.section +
           "connect: " + to_string(*tunnel->rule) + "\n  goes to     " + tunnel->host + ":" +
           std::to_string(tunnel->port) +
           ", by CONNECT and with TLS of the agent's own\n  credential  none\n";
  }
  const Passage& passage = std::get<Passage>(verdict);
  return "allowed: " + asked + "  rule        " + key_of(passage) + ": " + rule_text(passage) +
         "\n  goes to     " + one_line(goes_to(passage), kWidest) + "\n  credential  " +
         place_text(passage.upstream->credential) + "\n";
}

boost::json::object egress_json(const EgressQuestion& question, const EgressVerdict& verdict) {
  boost::json::object object{
      {"agent", question.agent}, {"method", question.method}, {"url", question.url}};
  if (const auto* denial = std::get_if<Denial>(&verdict)) {
    object["allowed"] = false;
    object["code"] = name_of(denial->refusal);
    object["status"] = denial->status;
    object["explanation"] = denial->explanation;
    object["key"] = denial->key;
    object["remedy"] = denial->remedy;
    return object;
  }
  object["allowed"] = true;
  if (const auto* tunnel = std::get_if<TunnelPassage>(&verdict)) {
    object["key"] = question.section + "connect";
    object["target"] = tunnel->host + ":" + std::to_string(tunnel->port);
    object["credential"] = "none";
    return object;
  }
  const Passage& passage = std::get<Passage>(verdict);
  object["upstream"] = passage.upstream->name;
  object["key"] = key_of(passage);
  object["target"] = goes_to(passage);
  object["credential"] = place_text(passage.upstream->credential);
  return object;
}

}  // namespace relay::cli
