// Which values of an agent's environment are secrets. Pure.
//
// The variable's name says it: API_KEY, GH_TOKEN, DB_PASSWORD. HOME and LANG are none, and
// replacing their values in stored messages would only destroy those. `secret_env` and `plain_env`
// of the agent say otherwise. In a URL it is the password that is secret, whatever the name.
#pragma once

#include "config/config.hpp"

#include <string>
#include <string_view>

namespace relay::config {

// Shorter values are found in any text, so replacing them everywhere would only destroy it.
inline constexpr std::size_t kShortestSecret = 6;

bool names_a_secret(std::string_view variable);

// The credentials of "scheme://user:password@host": the password, or a user that is as long as a
// token and has no password. Empty: none.
std::string credentials_of_url(std::string_view text);

// Of one agent; of at least kShortestSecret characters.
Strings secret_values(const AgentConfig& agent);

}  // namespace relay::config
