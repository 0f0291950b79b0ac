#include "base/path_pattern.hpp"
#include "base/placeholders.hpp"
#include "config/agent_presets.hpp"
#include "config/mount_danger.hpp"
#include "config/suggest.hpp"
#include "config/upstream_url.hpp"
#include "config/validate.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace relay::config {
namespace {

constexpr std::size_t kMostRules = 64;
constexpr std::size_t kMostMethods = 16;
constexpr std::size_t kMostWords = 64;
constexpr std::size_t kLongestPattern = 1024;
constexpr std::size_t kShortestCredential = 6;  // shorter ones are not looked for in logs
constexpr const char* kCommandLooksLike = "write [program, argument, ...]";

// Of the connection, or made by the relay: a credential in their place would break requests.
constexpr std::array<std::string_view, 11> kTakenHeaders{
    "connection", "content-length", "expect",  "host", "keep-alive",       "proxy-connection",
    "te",         "trailer",        "upgrade", "via",  "transfer-encoding"};

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return small;
}

bool consists_of(std::string_view text, std::string_view letters, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return letters.find(c) != std::string_view::npos || also.find(c) != std::string_view::npos;
  });
}

constexpr std::string_view kLettersAndDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kCapitalsAndDigits = kLettersAndDigits.substr(0, 36);

// A token of RFC 9110.
bool is_header_name(std::string_view name) {
  return name.size() <= 128 && consists_of(name, kLettersAndDigits, "!#$%&'*+-.^_`|~");
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; });
}

class UpstreamChecks {
 public:
  UpstreamChecks(const UpstreamConfig& upstream, std::vector<Finding>& findings)
      : upstream_(upstream), credential_(upstream.credential), findings_(findings) {}

  void run() {
    check_url();
    if (credential_.enabled()) {
      check_place();
      check_source();
    }
    check_rules();
  }

 private:
  void refuse(const std::string& key, std::string message, std::string remedy) {
    add(Severity::kProblem, key, std::move(message), std::move(remedy));
  }
  void warn(const std::string& key, std::string message, std::string remedy) {
    add(Severity::kWarning, key, std::move(message), std::move(remedy));
  }
  void add(Severity severity, const std::string& key, std::string message, std::string remedy) {
    findings_.push_back({severity, path() + "." + key, std::move(message), std::move(remedy)});
  }
  std::string path() const { return "egress.upstreams." + upstream_.name; }

  void check_url() {
    const UpstreamUrl url = parse_upstream_url(upstream_.url);
    if (!url.problem.empty()) {
      refuse("url", "not the address of an upstream: " + url.problem,
             "write https://host, https://host:port or https://host/base; what the upstream wants "
             "to see belongs into credential");
      return;
    }
    if (!upstream_.ca_file.empty() && !url.secure)
      warn("ca_file", "has no effect: the url is one of http", "write https, or remove the key");
    if (url.secure || !credential_.enabled() || is_loopback(url.host)) return;
    const std::string danger = "the credential goes over the network in the clear";
    if (upstream_.allow_unsafe)
      warn("url", danger, "accepted because of " + path() + ".allow_unsafe");
    else
      refuse("url", "unsafe: " + danger,
             "write https, or set " + path() + ".allow_unsafe: true if you accept that");
  }

  void check_place() {
    const std::string& header = credential_.header;
    const std::string& query = credential_.query;
    if (header.empty() == query.empty())
      refuse("credential", header.empty() ? "neither header nor query" : "both header and query",
             "say where the upstream looks for it: header: Authorization and prefix: \"Bearer \", "
             "for example");
    if (!header.empty() && !is_header_name(header))
      refuse("credential.header", "not the name of a header", "write one like x-api-key");
    else if (std::ranges::find(kTakenHeaders, in_small_letters(header)) != kTakenHeaders.end())
      refuse("credential.header", "this header is the connection's own",
             "write one like Authorization or x-api-key");
    if (!query.empty() && (query.size() > 128 || !consists_of(query, kLettersAndDigits, "-._~")))
      refuse("credential.query", "not the name of a parameter", "write one like key");
    if (credential_.prefix.size() > 128 || has_control_character(credential_.prefix))
      refuse("credential.prefix", "too long, or with a control character",
             "write what stands before the secret, \"Bearer \" for example");
  }

  void check_source() {
    const std::string& value = credential_.value;
    if (has_control_character(value) || value.starts_with(' ') || value.ends_with(' '))
      refuse("credential.value", "a credential has no line ends and no spaces around it",
             "write it in one line, or name its file, whose last line end is left out");
    else if (!value.empty() && value.size() < kShortestCredential)
      warn("credential.value", "shorter than 6 characters, so it is not looked for in logs",
           "use a longer one");
    if (!credential_.command.empty() && credential_.command.front().empty())
      refuse("credential.command[0]", "empty", kCommandLooksLike);
    if (credential_.command.size() > kMostWords)
      refuse("credential.command", "more than 64 words", kCommandLooksLike);
    if (!value.empty() && credential_.refresh != CredentialConfig{}.refresh)
      warn("credential.refresh", "has no effect: the credential is a value",
           "remove it, or name a file or command");
  }

  void check_rules() {
    if (upstream_.allow.size() > kMostRules)
      refuse("allow", "more than 64 rules", "join some with * or **");
    for (std::size_t i = 0; i < upstream_.allow.size(); ++i)
      check_rule(upstream_.allow[i], "allow[" + std::to_string(i) + "]");
  }

  void check_rule(const AllowConfig& rule, const std::string& key) {
    const std::string_view problem = rule.path.size() > kLongestPattern
                                         ? "it is longer than 1024 bytes"
                                         : path_pattern_problem(rule.path);
    if (!problem.empty())
      refuse(key + ".path", "not a pattern of paths: " + std::string(problem),
             "write /v1/chat/completions, /v1/models/* for one more segment, or /v1/** for any");
    if (rule.methods.size() > kMostMethods)
      refuse(key + ".methods", "more than 16 methods", "leave methods out for any");
    for (std::size_t i = 0; i < rule.methods.size(); ++i) {
      const std::string& method = rule.methods[i];
      if (method.size() <= 32 && consists_of(method, kCapitalsAndDigits, "-_")) continue;
      refuse(key + ".methods[" + std::to_string(i) + "]", "not a method",
             "write it in capitals: GET, POST");
    }
  }

  const UpstreamConfig& upstream_;
  const CredentialConfig& credential_;
  std::vector<Finding>& findings_;
};

// What agent.env says of upstreams that the agent has not.
void check_placeholders(const AgentConfig& agent, const std::string& section,
                        std::vector<Finding>& findings) {
  constexpr std::string_view kUpstream = "upstream:";
  for (const auto& [name, value] : agent.env) {
    const auto complain = [&, key = section + "env." + name](const std::string& what) {
      findings.push_back({Severity::kProblem, key, what,
                          "name it in " + section + "upstreams, or write something else"});
    };
    replace_placeholders(value, [&](std::string_view words) -> std::optional<std::string> {
      if (words == "upstream_key" && agent.upstreams.empty()) {
        complain("{upstream_key} without an upstream");
      } else if (words.starts_with(kUpstream)) {
        const std::string upstream(words.substr(kUpstream.size()));
        const bool is_known = std::ranges::find(agent.upstreams, upstream) != agent.upstreams.end();
        if (!is_known) complain("{" + std::string(words) + "} is no upstream of the agent");
      }
      return std::nullopt;
    });
  }
}

}  // namespace

void validate_upstreams_of(const AgentConfig& agent, const ContainerConfig& container,
                           const std::vector<UpstreamConfig>& upstreams, const std::string& section,
                           const std::string& container_section, std::vector<Finding>& findings) {
  const std::string key = section + "upstreams";
  std::vector<std::string> known;
  for (const UpstreamConfig& upstream : upstreams) known.push_back(upstream.name);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < agent.upstreams.size(); ++i) {
    const std::string& name = agent.upstreams[i];
    const std::string item_key = key + "[" + std::to_string(i) + "]";
    if (!seen.insert(name).second) {
      findings.push_back({Severity::kProblem, item_key, "is there twice", "remove one of the two"});
    } else if (std::ranges::find(known, name) == known.end()) {
      const auto meant = nearest(name, known);
      findings.push_back({Severity::kProblem, item_key, "names no upstream of egress.upstreams",
                          meant ? "did you mean " + *meant + "?" : "add it there, or remove it"});
    }
  }
  check_placeholders(agent, section, findings);
  for (const std::string& name : keys_beside_preset(agent, upstreams)) {
    findings.push_back({Severity::kWarning, section + "env." + name,
                        "goes into the container, where whatever runs there can read it; with a "
                        "preset the relay adds the credential of the upstream itself",
                        "remove it, or list it in " + section + "plain_env if it is no secret"});
  }
  if (agent.upstreams.empty()) return;
  if (container.enabled && container.network_mode != "none")
    findings.push_back({Severity::kWarning, container_section + "network_mode",
                        container.network_mode + " lets the agent go round its upstreams: what "
                                                 "that network reaches is open to it anyway",
                        "set " + container_section + "network_mode: none"});
}

void validate_egress(const Config& config, std::vector<Finding>& findings) {
  for (const UpstreamConfig& upstream : config.egress.upstreams)
    UpstreamChecks(upstream, findings).run();
}

}  // namespace relay::config
