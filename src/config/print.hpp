// The effective configuration for people and for GET /api/config, without its secrets.
//
// "***" stands for tokens (a sha256 is shown), values of environments, and what ${VAR} brought into
// keys that may carry a secret. Every key is printed, whether it was set or not.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace relay::config {

// YAML that `load` reads again (except for the redacted values).
std::string to_yaml(const Config& config);

// One JSON object with the same keys; durations and sizes are written as in the YAML ("30s",
// "64M").
std::string to_json(const Config& config);

// Every secret string: tokens, secret_values of every agent's environment, and expanded secrets of
// at least 6 characters. Each once. For the redactor of logs and stored messages.
std::vector<std::string> secrets(const Config& config);

}  // namespace relay::config
