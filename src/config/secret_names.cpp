#include "config/secret_names.hpp"

#include <algorithm>
#include <cctype>

namespace relay::config {
namespace {

// The place of a secret is none.
constexpr std::string_view kPlaceEndings[] = {"_FILE", "_PATH", "_DIR", "_SOCK", "_SOCKET"};
// Anywhere in a name.
constexpr std::string_view kSecretParts[] = {"KEY",    "TOKEN",      "SECRET",   "PASSWORD",
                                             "PASSWD", "PASSPHRASE", "PASSCODE", "CREDENTIAL",
                                             "AUTH",   "COOKIE",     "BEARER",   "PRIVATE"};
// Between underscores.
constexpr std::string_view kSecretWords[] = {"PASS", "PAT", "PW", "JWT", "PIN", "CREDS"};
constexpr std::size_t kShortestUserToken = 16;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// GIT_AUTHOR_NAME has AUTH in it, and no secret.
bool has_part(std::string_view name, std::string_view part) {
  for (auto at = name.find(part); at != std::string_view::npos; at = name.find(part, at + 1)) {
    const std::string_view found = name.substr(at);
    if (part != "AUTH" || !found.starts_with("AUTHOR") || found.starts_with("AUTHORIZ")) {
      return true;
    }
  }
  return false;
}

bool has_word(std::string_view name, std::string_view word) {
  for (auto at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || name[at - 1] == '_';
    const bool ends = end == name.size() || name[end] == '_';
    if (begins && ends) return true;
  }
  return false;
}

// ADA_PWD is a password, PWD and OLDPWD are directories.
bool is_password_in_short(std::string_view name) {
  return name.ends_with("_PWD") && name != "OLD_PWD";
}

// MAX_OUTPUT_TOKENS is a number of them, whatever else AUTH_TOKENS may be.
bool is_count_of_tokens(std::string_view variable, std::string_view value) {
  constexpr std::string_view kTokens = "TOKENS";
  std::string name = upper(variable);
  const auto at = name.find(kTokens);
  if (at == std::string::npos || names_a_secret(name.erase(at, kTokens.size()))) return false;
  return value.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_listed(const Strings& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

}  // namespace

bool names_a_secret(std::string_view variable) {
  const std::string name = upper(variable);
  for (const std::string_view ending : kPlaceEndings) {
    if (name.ends_with(ending)) return false;
  }
  const auto is_in = [&](std::string_view part) { return has_part(name, part); };
  const auto is_word = [&](std::string_view word) { return has_word(name, word); };
  return std::any_of(std::begin(kSecretParts), std::end(kSecretParts), is_in) ||
         std::any_of(std::begin(kSecretWords), std::end(kSecretWords), is_word) ||
         is_password_in_short(name);
}

std::string credentials_of_url(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view rest = text.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?# \t\n"));
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view user = rest.substr(0, at);
  const auto colon = user.find(':');
  if (colon != std::string_view::npos && colon + 1 < user.size()) {
    return std::string(user.substr(colon + 1));
  }
  const std::string_view alone = user.substr(0, colon);
  return alone.size() >= kShortestUserToken ? std::string(alone) : std::string();
}

Strings secret_values(const AgentConfig& agent) {
  Strings found;
  const auto add = [&](std::string text) {
    if (text.size() >= kShortestSecret) found.push_back(std::move(text));
  };
  for (const auto& [name, value] : agent.env) {
    // What stands for the session's token is told to no one before there is one.
    const bool is_placeholder = value.find("{upstream_key}") != std::string::npos;
    if (is_placeholder || is_listed(agent.plain_env, name)) continue;
    const bool says_so = names_a_secret(name) && !is_count_of_tokens(name, value);
    if (says_so || is_listed(agent.secret_env, name)) add(value);
    const std::string credentials = credentials_of_url(value);
    add(credentials);
    if (credentials.find('%') != std::string::npos) add(percent_decoded(credentials));
  }
  return found;
}

}  // namespace relay::config
