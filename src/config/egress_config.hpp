// `egress` of the configuration: what agents reach through the relay. Values; part of Config
// (config/config.hpp), with the same rules.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace relay::config {

using Milliseconds = std::chrono::milliseconds;
using Strings = std::vector<std::string>;

// What the relay adds to a request, and where. One place and one source, or none of either.
struct CredentialConfig {
  std::string header;  // its name
  std::string query;   // the name of a parameter
  std::string prefix;  // before the secret: "Bearer "
  std::string value;   // the secret itself
  std::string file;    // that holds it
  Strings command;     // that prints it: a program and its arguments
  // After this file and command are read again, and at once when the upstream said 401.
  Milliseconds refresh{5 * 60'000};
  bool enabled() const { return !value.empty() || !file.empty() || !command.empty(); }
  bool operator==(const CredentialConfig&) const = default;
};

struct AllowConfig {
  Strings methods;           // empty: any
  std::string path = "/**";  // a pattern (base/path_pattern.hpp)
  bool operator==(const AllowConfig&) const = default;
};

// Of one session; 0: no limit.
struct BudgetConfig {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;   // both ways together
  std::uint64_t tokens = 0;  // that the answers name
  bool enabled() const { return requests != 0 || bytes != 0 || tokens != 0; }
  bool operator==(const BudgetConfig&) const = default;
};

inline constexpr std::size_t kMaxUpstreams = 32;

// With what it has of a preset (config/upstream_presets.hpp).
struct UpstreamConfig {
  std::string name;
  std::string preset;   // empty: none
  std::string url;      // http(s)://host[:port][/base]
  std::string ca_file;  // PEM; empty: the system's
  CredentialConfig credential;
  std::vector<AllowConfig> allow;  // empty: everything below the URL
  BudgetConfig budget;
  bool allow_unsafe = false;  // the credential may travel in the clear
  bool operator==(const UpstreamConfig&) const = default;
};

// How connections of agents in containers reach the relay.
enum class EgressCarrier { kAuto, kUnix, kStdio };

struct EgressConfig {
  std::uint16_t port = 9180;  // of 127.0.0.1 in a container
  EgressCarrier carrier = EgressCarrier::kAuto;
  std::size_t max_connections = 256;
  std::size_t max_upstream_connections = 1024;
  std::size_t max_body_bytes = 32u << 20;
  Milliseconds silence{10 * 60'000};
  Milliseconds idle_timeout{10 * 60'000};
  Milliseconds connect_timeout{10'000};
  std::vector<UpstreamConfig> upstreams;
  bool operator==(const EgressConfig&) const = default;
};

}  // namespace relay::config
