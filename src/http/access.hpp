// Who may talk to this relay: tokens, origins of web pages, names of hosts. Functions over values.
//
// A token comes as `Authorization: Bearer <token>` or, from browsers, as the WebSocket subprotocol
// `acp-relay.token.<token>` or `bearer.<token>`. Only digests are kept and compared, all of them
// and in constant time. Errors are kUnauthorized (answer 401) or kForbidden (403); they never hold
// a token.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay::http {

enum class Role { kUser, kObserver, kOperator };

struct Principal {
  std::string name;  // empty: no authentication is in force
  Role role = Role::kUser;
  std::string peer = {};            // where the request comes from
  std::string_view transport = {};  // what it comes over; set by the port
};

struct TokenRule {
  std::string name;
  std::string sha256_hex;  // lower case
  Role role = Role::kUser;
};

struct AccessRules {
  bool token_required = false;
  bool operator_only = false;  // management on a non-loopback bind; a token is required then too
  bool tokens_in_use = false;  // some port of the relay wants a token
  std::vector<TokenRule> tokens;
  std::vector<std::string> allowed_origins;  // server.allowed_origins; "*" for any
  // The Host header must name this machine: what a page reaches through a name of its own that
  // resolves to 127.0.0.1 (DNS rebinding) says another name there.
  bool loopback_bind = true;
  std::vector<std::string> own_hosts;  // names without port, good as Host and in an Origin
};

// 64 lower-case digits; empty, which admits nobody, when the library fails.
std::string sha256_hex(std::string_view text);

// Host, origin, then token. A token that is presented must be right, whether or not one is needed.
Result<Principal> admit(const AccessRules& rules, const Request& request);

// What reads or ends everybody's sessions is the operators' where tokens are in use, on a loopback
// address too: whoever may reach it there need not be who may use the relay. A token that was
// presented counts, needed or not.
Result<void> admit_operator(const AccessRules& rules, const Principal& principal);

// Host and origin alone: for CORS preflights, which carry no token.
Result<void> admit_origin(const AccessRules& rules, const Request& request);

// What to echo in Sec-WebSocket-Protocol, always one that was offered; empty: nothing. Browsers end
// a connection whose offer is not answered, other clients one that answers what was not offered.
std::string chosen_subprotocol(const Request& request);

}  // namespace relay::http
