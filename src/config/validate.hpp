// Rules over a whole Config: what single values can't tell. Pure; ranges of single values are in
// the table of keys.
#pragma once

#include "config/config.hpp"
#include "config/mount_danger.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

enum class Severity { kWarning, kProblem };

struct Finding {
  Severity severity = Severity::kProblem;
  std::string key;  // "auth.tokens[1].name"
  std::string message;
  std::string remedy;
};

std::vector<Finding> validate(const Config& config);

// The part of it that concerns config.container; its keys are below `section` ("container.").
// `own` is what no agent may have.
void validate_container(const ContainerConfig& container, const std::string& section,
                        const std::vector<OwnPlace>& own, std::vector<Finding>& findings);

// config.egress alone, and where it lies.
void validate_egress(const Config& config, std::vector<Finding>& findings);

// agent.connect of one agent, below `section`.
void validate_connect(const AgentConfig& agent, const ContainerConfig& container,
                      const std::string& section, std::vector<Finding>& findings);
// What one agent may use of `upstreams`; its keys are below `section` ("agent.") and
// `container_section` ("container.").
void validate_upstreams_of(const AgentConfig& agent, const ContainerConfig& container,
                           const std::vector<UpstreamConfig>& upstreams, const std::string& section,
                           const std::string& container_section, std::vector<Finding>& findings);

// "localhost", an address in 127.0.0.0/8, or ::1, also in brackets.
bool is_loopback(std::string_view host);

// Whether a listener on `host` asks its clients for a token.
bool token_needed(AuthMode mode, std::string_view host);

// A name of an environment variable: letters, digits, underscores, no digit first.
bool is_variable_name(std::string_view name);

}  // namespace relay::config
