#include "http/access.hpp"

#include "http/header_fields.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <optional>

namespace relay::http {
namespace {

// `acp.v1` and `bearer.<token>` are what web clients of ACP's transport offer.
constexpr std::array<std::string_view, 2> kSubprotocols{"acp-relay", "acp.v1"};
constexpr std::array<std::string_view, 2> kTokenSubprotocols{"acp-relay.token.", "bearer."};
constexpr std::size_t kShownBytes = 200;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string shown(std::string_view text) { return std::string(text.substr(0, kShownBytes)); }

std::vector<std::string_view> values_of(const Request& request, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Header& header : request.headers) {
    if (equals_ignoring_case(header.name, name)) values.push_back(trimmed(header.value));
  }
  return values;
}

// ----- hosts and origins

struct Authority {
  std::string host;  // lower case, an IPv6 address without its brackets
  std::string port;  // as written, may be empty
  bool bracketed = false;
};

bool is_port(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

// "name", "name:1", "[::1]:1". Anything else (a user, a path, a bare IPv6 address) is no authority.
std::optional<Authority> parse_authority(std::string_view text) {
  Authority out;
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  out.bracketed = bracketed;
  out.host = lower_case(bracketed ? text.substr(1, end - 1) : text.substr(0, end));
  std::string_view rest =
      end == std::string_view::npos ? std::string_view() : text.substr(bracketed ? end + 1 : end);
  if (!rest.empty()) {
    if (!rest.starts_with(':') || !is_port(rest.substr(1))) return std::nullopt;
    out.port = rest.substr(1);
  }
  in6_addr address{};
  const bool good =
      bracketed ? ::inet_pton(AF_INET6, out.host.c_str(), &address) == 1 : is_name(out.host);
  if (!good) return std::nullopt;
  return out;
}

bool is_loopback(const Authority& authority) {
  if (!authority.bracketed) {
    in_addr address{};
    if (::inet_pton(AF_INET, authority.host.c_str(), &address) != 1) {
      return authority.host == "localhost";
    }
    return (ntohl(address.s_addr) >> 24) == 127;
  }
  in6_addr address{};
  ::inet_pton(AF_INET6, authority.host.c_str(), &address);
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address) || mapped;
}

bool is_own(const AccessRules& rules, const Authority& authority) {
  const auto names_it = [&](std::string_view name) {
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    return equals_ignoring_case(name, authority.host);
  };
  return std::any_of(rules.own_hosts.begin(), rules.own_hosts.end(), names_it);
}

struct Origin {
  std::string scheme;  // lower case
  Authority authority;
};

std::optional<Origin> parse_origin(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) return std::nullopt;
  std::optional<Authority> authority = parse_authority(text.substr(mark + 3));
  if (!authority) return std::nullopt;
  return Origin{lower_case(text.substr(0, mark)), std::move(*authority)};
}

std::string port_or_default(std::string_view port, std::string_view scheme) {
  if (!port.empty()) return std::string(port);
  return scheme == "https" ? "443" : "80";
}

// Two spellings of one origin give the same text.
std::string normal_form(std::string_view text) {
  const std::optional<Origin> origin = parse_origin(text);
  if (!origin || (origin->scheme != "http" && origin->scheme != "https")) return lower_case(text);
  const Authority& authority = origin->authority;
  return origin->scheme + "://" + authority.host + ":" +
         port_or_default(authority.port, origin->scheme);
}

bool is_allowed(const AccessRules& rules, std::string_view origin) {
  const std::string wanted = normal_form(origin);
  for (std::string_view allowed : rules.allowed_origins) {
    if (allowed == "*") return true;
    if (allowed.ends_with('/') && !allowed.ends_with("//")) allowed.remove_suffix(1);
    if (allowed == "null" ? origin == allowed : normal_form(allowed) == wanted) return true;
  }
  return false;
}

bool is_at_home(const AccessRules& rules, std::string_view text, std::string_view host_header) {
  const std::optional<Origin> origin = parse_origin(text);
  if (!origin || (origin->scheme != "http" && origin->scheme != "https")) return false;
  if (is_loopback(origin->authority) || is_own(rules, origin->authority)) return true;
  const std::optional<Authority> host = parse_authority(host_header);
  return host && host->host == origin->authority.host &&
         host->bracketed == origin->authority.bracketed &&
         port_or_default(host->port, origin->scheme) ==
             port_or_default(origin->authority.port, origin->scheme);
}

Result<void> check_host(const AccessRules& rules, const Request& request) {
  if (!rules.loopback_bind) return {};
  const std::vector<std::string_view> hosts = values_of(request, "Host");
  if (hosts.size() == 1) {
    const std::optional<Authority> host = parse_authority(hosts.front());
    if (host && (is_loopback(*host) || is_own(rules, *host))) return {};
  }
  return make_error(ErrorType::kForbidden,
                    "the request's Host header does not name this machine, and the relay listens "
                    "on a loopback address only")
      .because("a web page reached the relay through a host name of its own")
      .because("a proxy passes its public host name on")
      .suggest("use http://127.0.0.1 or http://localhost with the relay's port")
      .suggest("let the proxy send Host: localhost")
      .with("host", hosts.empty() ? std::string() : shown(hosts.front()));
}

Result<void> check_origin(const AccessRules& rules, const Request& request) {
  const std::vector<std::string_view> origins = values_of(request, "Origin");
  if (origins.empty()) return {};
  const bool passes =
      origins.size() == 1 && (is_allowed(rules, origins.front()) ||
                              is_at_home(rules, origins.front(), request.header("Host")));
  if (passes) return {};
  return make_error(ErrorType::kForbidden,
                    "web pages of the origin " + shown(origins.front()) + " may not use this relay")
      .because("the origin is not in server.allowed_origins")
      .suggest("add the page's origin, e.g. \"https://chat.example\", to server.allowed_origins")
      .with("origin", shown(origins.front()));
}

// ----- tokens

Error unauthorized(std::string explanation) {
  return make_error(ErrorType::kUnauthorized, std::move(explanation))
      .suggest("send the header Authorization: Bearer <token>")
      .suggest("browsers: offer the WebSocket subprotocol acp-relay.token.<token>")
      .suggest("set ACP_RELAY_TOKEN for the acp-relay commands")
      .suggest("see auth.tokens in the relay's configuration for who has a token");
}

template <class Visit>
void for_each_subprotocol(const Request& request, Visit visit) {
  for (std::string_view list : values_of(request, "Sec-WebSocket-Protocol")) {
    while (true) {
      const std::size_t comma = list.find(',');
      const std::string_view item = trimmed(list.substr(0, comma));
      if (!item.empty()) visit(item);
      if (comma == std::string_view::npos) break;
      list.remove_prefix(comma + 1);
    }
  }
}

// What stands behind the prefix; nothing: the subprotocol carries no token.
std::optional<std::string_view> token_of_subprotocol(std::string_view item) {
  for (const std::string_view prefix : kTokenSubprotocols) {
    if (item.starts_with(prefix)) return item.substr(prefix.size());
  }
  return std::nullopt;
}

// Tokens in the order in which they stand; an empty one for a scheme without a token. Other schemes
// than Bearer are somebody else's business (a proxy's).
std::vector<std::string_view> presented_tokens(const Request& request) {
  std::vector<std::string_view> tokens;
  for (const std::string_view value : values_of(request, "Authorization")) {
    const std::size_t space = value.find_first_of(" \t");
    if (!equals_ignoring_case(value.substr(0, space), "Bearer")) continue;
    tokens.push_back(space == std::string_view::npos ? "" : trimmed(value.substr(space)));
  }
  for_each_subprotocol(request, [&](std::string_view item) {
    if (const auto token = token_of_subprotocol(item)) tokens.push_back(*token);
  });
  return tokens;
}

bool has_query_token(const Request& request) {
  const auto is_token = [](const auto& parameter) {
    return equals_ignoring_case(parameter.first, "token") ||
           equals_ignoring_case(parameter.first, "access_token");
  };
  return std::any_of(request.query.begin(), request.query.end(), is_token);
}

// Takes as long whichever rule matches.
const TokenRule* matching_rule(const AccessRules& rules, std::string_view token) {
  const std::string digest = sha256_hex(token);
  if (digest.empty()) return nullptr;
  const TokenRule* match = nullptr;
  for (const TokenRule& rule : rules.tokens) {
    if (rule.sha256_hex.size() != digest.size()) continue;
    const bool same = CRYPTO_memcmp(rule.sha256_hex.data(), digest.data(), digest.size()) == 0;
    if (same && match == nullptr) match = &rule;
  }
  return match;
}

Error operators_only(const std::string& principal) {
  return make_error(ErrorType::kForbidden,
                    "the management of this relay is for the role operator only")
      .suggest("use the token of a principal with role: operator in auth.tokens")
      .with("principal", principal);
}

Result<Principal> check_token(const AccessRules& rules, const Request& request) {
  if (has_query_token(request)) {
    return unauthorized(
        "a token in the address is refused: addresses end up in logs and histories");
  }
  const std::vector<std::string_view> tokens = presented_tokens(request);
  if (tokens.empty()) {
    if (!rules.token_required && !rules.operator_only)
      return Principal{{}, Role::kUser, request.peer};
    return unauthorized("this relay wants a token and the request has none");
  }
  if (std::any_of(tokens.begin(), tokens.end(),
                  [&](std::string_view token) { return token != tokens.front(); })) {
    return unauthorized("the request has several different tokens");
  }
  if (tokens.front().empty()) return unauthorized("the request's token is empty");
  const TokenRule* rule = matching_rule(rules, tokens.front());
  if (rule == nullptr) return unauthorized("the request's token is not one of auth.tokens");
  if (rules.operator_only && rule->role != Role::kOperator) {
    return operators_only(rule->name)
        .because("it listens on an address that other machines can reach");
  }
  return Principal{rule->name, rule->role, request.peer};
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string out;
  out.reserve(2 * std::size_t{size});
  for (unsigned int i = 0; i < size; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 0xf];
  }
  return out;
}

Result<void> admit_origin(const AccessRules& rules, const Request& request) {
  Result<void> host = check_host(rules, request);
  if (!host) return host;
  return check_origin(rules, request);
}

Result<Principal> admit(const AccessRules& rules, const Request& request) {
  const Result<void> origin = admit_origin(rules, request);
  if (!origin) return origin.error();
  return check_token(rules, request);
}

Result<void> admit_operator(const AccessRules& rules, const Principal& principal) {
  if (principal.role == Role::kOperator) return {};
  if (!principal.name.empty()) return operators_only(principal.name);
  if (!rules.tokens_in_use) return {};
  return unauthorized("this is for operators, and the request has no token");
}

std::string chosen_subprotocol(const Request& request) {
  std::string plain;
  std::string with_token;
  for_each_subprotocol(request, [&](std::string_view item) {
    // Only what is a token may be put into a header of the answer.
    if (!std::all_of(item.begin(), item.end(), is_token_character)) return;
    const bool known = std::ranges::find(kSubprotocols, item) != kSubprotocols.end();
    if (known && plain.empty()) plain = item;
    if (token_of_subprotocol(item) && with_token.empty()) with_token = item;
  });
  return plain.empty() ? with_token : plain;
}

}  // namespace relay::http
