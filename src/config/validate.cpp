#include "config/validate.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <set>

namespace relay::config {
namespace {

using Findings = std::vector<Finding>;

void refuse(Findings& findings, std::string key, std::string message, std::string remedy) {
  findings.push_back({Severity::kProblem, std::move(key), std::move(message), std::move(remedy)});
}

void warn(Findings& findings, std::string key, std::string message, std::string remedy) {
  findings.push_back({Severity::kWarning, std::move(key), std::move(message), std::move(remedy)});
}

bool has_space(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; });
}

bool is_wildcard(std::string_view host) {
  return host == "0.0.0.0" || host == "::" || host == "[::]";
}

struct Listener {
  std::string name;
  std::string host;
  std::uint16_t port;
};

std::array<Listener, 3> listeners(const ServerConfig& server) {
  return {{{"http", server.http_host, server.http_port},
           {"websocket", server.websocket_host, server.websocket_port},
           {"management", server.management_host, server.management_port}}};
}

void check_listeners(const ServerConfig& server, Findings& findings) {
  const auto all = listeners(server);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string prefix = "server." + all[i].name;
    if (all[i].host.empty() || has_space(all[i].host))
      refuse(findings, prefix + "_host", "not an address or name",
             "write 127.0.0.1, 0.0.0.0, ::1 or a host name");
    for (std::size_t j = 0; j < i; ++j) {
      const bool overlap =
          all[i].host == all[j].host || is_wildcard(all[i].host) || is_wildcard(all[j].host);
      if (overlap && all[i].port != 0 && all[i].port == all[j].port)
        refuse(findings, prefix + "_port",
               "port " + std::to_string(all[i].port) + " is also server." + all[j].name + "_port",
               "give each its own port");
    }
  }
}

// What browsers say of a page that was opened as a file, and of every sandboxed frame of any site.
constexpr std::string_view kNullOrigin = "null";

// "scheme://host[:port]" without anything behind it.
bool is_origin(std::string_view origin) {
  if (origin == "*" || origin == kNullOrigin) return true;
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos || scheme == 0 || has_space(origin)) return false;
  const std::string_view host = origin.substr(scheme + 3);
  return !host.empty() && host.find_first_of("/?#@*") == std::string_view::npos;
}

// A path that is nobody else's, as it stands in a request.
bool is_free_path(std::string_view path) {
  constexpr std::string_view kPlain =
      "/-._~!$&'()*+,;=:@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (path.size() < 2 || path.front() != '/') return false;
  if (path.find_first_not_of(kPlain) != std::string_view::npos) return false;
  return !path.starts_with("/session/") && !path.starts_with("/agents/");
}

void check_server(const Config& config, Findings& findings) {
  const ServerConfig& server = config.server;
  check_listeners(server, findings);
  if (server.tls.cert.empty() != server.tls.key.empty()) {
    const std::string missing = server.tls.cert.empty() ? "server.tls.cert" : "server.tls.key";
    refuse(findings, server.tls.cert.empty() ? "server.tls.key" : "server.tls.cert",
           missing + " is missing beside it", "give both files, or neither for no TLS");
  }
  for (std::size_t i = 0; i < server.allowed_origins.size(); ++i) {
    if (!is_origin(server.allowed_origins[i]))
      refuse(findings, "server.allowed_origins[" + std::to_string(i) + "]", "not an origin",
             "write https://host or https://host:port without a path, \"null\" for pages opened as "
             "files, or \"*\" for any");
  }
  if (std::ranges::count(server.allowed_origins, kNullOrigin) > 0 &&
      config.auth.mode != AuthMode::kToken) {
    warn(findings, "server.allowed_origins",
         "\"null\" is what a page opened as a file says, and what any site can say in a sandboxed "
         "frame",
         "use it with auth.mode: token, or serve the page over HTTP and name that origin");
  }
  for (std::size_t i = 0; i < server.acp_aliases.size(); ++i) {
    if (!is_free_path(server.acp_aliases[i]))
      refuse(findings, "server.acp_aliases[" + std::to_string(i) + "]",
             "not a path that can lead to /acp",
             "write one like /acp/ws: not /, nothing below /session/ or /agents/, and nothing that "
             "an address has to escape");
  }
  if (server.max_bodies_bytes < server.max_message_bytes)
    refuse(findings, "server.max_bodies_bytes", "less than server.max_message_bytes",
           "raise it, or lower server.max_message_bytes: one body must fit");
  if (server.max_outbox_bytes < server.max_message_bytes)
    refuse(findings, "server.max_outbox_bytes", "less than server.max_message_bytes",
           "raise it, or lower server.max_message_bytes: one message must fit");
  if (config.agent.max_inbox_bytes < server.max_message_bytes)
    refuse(findings, "agent.max_inbox_bytes", "less than server.max_message_bytes",
           "raise it, or lower server.max_message_bytes: one message must fit");
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void check_token(const TokenConfig& token, const std::string& key, Findings& findings) {
  if (token.name.empty())
    refuse(findings, key, "the name is missing or empty", "add name: who uses this token");
  else if (token.name.size() > 128 || has_space(token.name))
    refuse(findings, key + ".name", "too long or with spaces",
           "use up to 128 characters, no spaces");
  if (token.token.empty() && token.sha256.empty())
    refuse(findings, key, "neither token nor sha256, or empty",
           "give one of them; if it comes from ${VAR}, set that variable");
  if (!token.token.empty() && !token.sha256.empty())
    refuse(findings, key, "both token and sha256",
           "keep one of them; sha256 does not reveal the token");
  if (has_space(token.token))
    refuse(findings, key + ".token", "a token has no spaces or line ends",
           "make one with: openssl rand -hex 32");
  else if (!token.token.empty() && token.token.size() < 16)
    warn(findings, key + ".token", "shorter than 16 characters, it can be guessed",
         "make one with: openssl rand -hex 32");
  if (!token.sha256.empty() && !is_sha256(token.sha256))
    refuse(findings, key + ".sha256", "not 64 hexadecimal digits",
           "make it with: printf %s \"$TOKEN\" | sha256sum");
}

void check_tokens(const AuthConfig& auth, Findings& findings) {
  std::set<std::string> names;
  std::set<std::string> values;
  for (std::size_t i = 0; i < auth.tokens.size(); ++i) {
    const TokenConfig& token = auth.tokens[i];
    const std::string key = "auth.tokens[" + std::to_string(i) + "]";
    check_token(token, key, findings);
    if (!token.name.empty() && !names.insert(token.name).second)
      refuse(findings, key + ".name", "another token has the same name", "give each its own name");
    const std::string& value = token.token.empty() ? token.sha256 : token.token;
    if (!value.empty() && !values.insert(value).second)
      refuse(findings, key, "the same token is there twice", "give each name its own token");
  }
}

void check_exposure(const Config& config, Findings& findings) {
  bool token_is_missing = false;
  for (const Listener& listener : listeners(config.server)) {
    if (is_loopback(listener.host)) continue;
    const std::string key = "server." + listener.name + "_host";
    if (config.auth.mode == AuthMode::kNone)
      warn(findings, key, listener.host + " is reachable from other machines and auth.mode is none",
           "set auth.mode: auto, or bind to 127.0.0.1");
    else
      token_is_missing = token_is_missing || config.auth.tokens.empty();
  }
  token_is_missing =
      token_is_missing || (config.auth.mode == AuthMode::kToken && config.auth.tokens.empty());
  if (token_is_missing)
    warn(findings, "auth.tokens",
         "a token is needed and none is configured: one is generated at every start",
         "add {name, token, role} to auth.tokens");
  const auto is_operator = [](const TokenConfig& token) { return token.role == Role::kOperator; };
  if (!is_loopback(config.server.management_host) && config.auth.mode != AuthMode::kNone &&
      !config.auth.tokens.empty() &&
      std::none_of(config.auth.tokens.begin(), config.auth.tokens.end(), is_operator))
    warn(findings, "server.management_host", "no token has the role operator, so nobody may use it",
         "give one of auth.tokens role: operator, or bind to 127.0.0.1");
}

// A name that is written wrong would leave a secret in the clear.
void check_env_names(const Strings& names, const AgentConfig& agent, const std::string& key,
                     Findings& findings) {
  for (const std::string& name : names) {
    const auto has_name = [&](const auto& variable) { return variable.first == name; };
    if (std::none_of(agent.env.begin(), agent.env.end(), has_name))
      warn(findings, key, "names " + name + ", which is not in env",
           "write the name as in env, or remove it");
  }
}

bool is_npx(std::string_view command) { return command == "npx" || command.ends_with("/npx"); }

bool says_yes(std::string_view argument) { return argument == "--yes" || argument == "-y"; }

void check_agent(const AgentConfig& agent, const std::string& section, Findings& findings) {
  for (const auto& [name, value] : agent.env) {
    if (!is_variable_name(name))
      refuse(findings, section + "env." + name, "not a name of an environment variable",
             "use letters, digits and underscores, no digit first");
  }
  for (std::size_t i = 0; i < agent.client_env.size(); ++i) {
    if (!is_variable_name(agent.client_env[i]))
      refuse(findings, section + "client_env[" + std::to_string(i) + "]",
             "not a name of an environment variable",
             "use letters, digits and underscores, no digit first");
  }
  check_env_names(agent.secret_env, agent, section + "secret_env", findings);
  check_env_names(agent.plain_env, agent, section + "plain_env", findings);
  for (const std::string& name : agent.plain_env) {
    if (std::find(agent.secret_env.begin(), agent.secret_env.end(), name) != agent.secret_env.end())
      refuse(findings, section + "plain_env", name + " is also in secret_env",
             "remove it from one of the two");
  }
  if (agent.command.empty() && !agent.args.empty())
    refuse(findings, section + "args", "arguments without agent.command",
           "set agent.command, or remove the arguments: the demo agent takes none");
  if (has_space(agent.command))
    warn(findings, section + "command", "has a space in it, and no shell splits it",
         "put the arguments into " + section + "args");
  if (is_npx(agent.command) && !std::ranges::any_of(agent.args, says_yes))
    warn(findings, section + "args",
         "npx asks before it downloads a package, on the stream that is the agent's",
         "put \"--yes\" in front, or install the package and name its program");
}

// What was said of a value of the default agent is not said again of those who inherit it.
void check_named_agent(const NamedAgentConfig& agent, const std::vector<UpstreamConfig>& upstreams,
                       const std::vector<OwnPlace>& own_of_relay, const Findings& of_default,
                       Findings& findings) {
  const std::string section = "agents." + agent.name + ".";
  Findings own;
  check_agent(agent.agent, section, own);
  if (agent.isolation == AgentIsolation::kContainer)
    validate_container(agent.container, section, own_of_relay, own);
  validate_connect(agent.agent, agent.container, section, own);
  validate_upstreams_of(agent.agent, agent.container, upstreams, section, section, own);
  for (Finding& finding : own) {
    const std::string key = finding.key.substr(section.size());
    const bool is_known =
        std::any_of(of_default.begin(), of_default.end(), [&](const Finding& other) {
          return other.message == finding.message &&
                 (other.key == "agent." + key || other.key == "container." + key);
        });
    if (!is_known) findings.push_back(std::move(finding));
  }
}

// How to write a path that begins or goes on as a shell would expand it; empty: it does not.
std::string shell_spelling(std::string_view path) {
  if (path.starts_with("~/")) return "write ${HOME}" + std::string(path.substr(1));
  for (std::size_t at = path.find('$'); at != std::string_view::npos; at = path.find('$', at + 1)) {
    const std::string_view rest = path.substr(at + 1);
    const std::string_view name = rest.substr(0, rest.find_first_of("/.$-:"));
    if (!is_variable_name(name)) continue;
    return "write " + std::string(path.substr(0, at)) + "${" + std::string(name) + "}" +
           std::string(rest.substr(name.size()));
  }
  return {};
}

// Paths that a shell would have expanded.
void check_paths(const Config& config, Findings& findings) {
  std::vector<std::pair<std::string, std::string>> paths{
      {"database.path", config.database.path},
      {"server.tls.cert", config.server.tls.cert},
      {"server.tls.key", config.server.tls.key},
      {"container.workspace_base_dir", config.container.workspace_base_dir}};
  for (const UpstreamConfig& upstream : config.egress.upstreams) {
    const std::string key = "egress.upstreams." + upstream.name;
    paths.emplace_back(key + ".ca_file", upstream.ca_file);
    paths.emplace_back(key + ".credential.file", upstream.credential.file);
  }
  for (const auto& [key, path] : paths) {
    const std::string remedy = shell_spelling(path);
    if (!remedy.empty())
      refuse(findings, key, "the path is not expanded as a shell does it", remedy);
  }
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string text(host);
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, text.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six) != 0;
}

bool token_needed(AuthMode mode, std::string_view host) {
  if (mode == AuthMode::kAuto) return !is_loopback(host);
  return mode == AuthMode::kToken;
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::vector<Finding> validate(const Config& config) {
  Findings findings;
  check_server(config, findings);
  check_tokens(config.auth, findings);
  check_exposure(config, findings);
  check_agent(config.agent, "agent.", findings);
  if (config.database.enabled && config.database.path.empty())
    refuse(findings, "database.path", "empty",
           "give a file, or set database.enabled: false to store nothing");
  check_paths(config, findings);
  const std::vector<OwnPlace> own = own_places(config);
  validate_container(config.container, "container.", own, findings);
  validate_egress(config, findings);
  validate_connect(config.agent, config.container, "agent.", findings);
  validate_upstreams_of(config.agent, config.container, config.egress.upstreams, "agent.",
                        "container.", findings);
  const Findings of_default = findings;
  for (const NamedAgentConfig& agent : config.agents)
    check_named_agent(agent, config.egress.upstreams, own, of_default, findings);
  return findings;
}

}  // namespace relay::config
