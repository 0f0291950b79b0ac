// Keeps secrets out of what is stored, exported and logged.
#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// Replaces every secret string of the configuration by ***, also where JSON spells it with escapes.
// Safe to use from several threads.
class SecretRedactor {
 public:
  SecretRedactor() = default;
  explicit SecretRedactor(std::vector<std::string> secrets);

  // Empty result: there was nothing to replace.
  std::optional<std::string> redact(std::string_view text) const;
  std::string redacted(std::string_view text) const;
  Error redacted(Error error) const;

 private:
  std::vector<std::string> needles_;  // longest first
};

// The stored copy of a request that carries secrets by its nature: values of mcpServers[].env and
// mcpServers[].headers, of the env of session/new, and all params of `authenticate` and
// `providers/*`, become "***". Other messages, and what is not JSON, come back as they are.
std::string without_request_secrets(std::string_view method, std::string_view message);

}  // namespace relay
