#include "config/tunnel_host.hpp"

#include <algorithm>
#include <charconv>

namespace relay::config {
namespace {

constexpr std::size_t kLongestHost = 253;  // RFC 1035
constexpr std::size_t kLongestLabel = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_in_name(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

std::string_view problem_of_label(std::string_view label) {
  if (label.empty()) return "a part of the name is empty";
  if (label.size() > kLongestLabel) return "a part of the name is longer than 63 characters";
  if (!std::ranges::all_of(label, is_in_name)) return "not the name of a host";
  return {};
}

std::string_view problem_of_name(std::string_view name) {
  if (name.size() > kLongestHost) return "longer than 253 characters";
  // Resolvers take "1", "0x7f.1" and the like for addresses, too; no top-level domain has digits
  // in front.
  const std::size_t last = name.rfind('.') + 1;
  if (last < name.size() && is_digit(name[last])) return "an address; write a name";
  for (;;) {
    const std::size_t dot = name.find('.');
    const std::string_view problem = problem_of_label(name.substr(0, dot));
    if (!problem.empty() || dot == std::string_view::npos) return problem;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

TunnelHost parse_tunnel_host(std::string_view text) {
  constexpr std::string_view kAnyBelow = "*.";
  TunnelHost host;
  host.any_below = text.starts_with(kAnyBelow);
  if (host.any_below) text.remove_prefix(kAnyBelow.size());
  const std::size_t colon = text.find(':');
  for (const char c : text.substr(0, colon)) {
    host.name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  host.problem = problem_of_name(host.name);
  if (host.problem.empty() && colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), host.port);
    const bool is_port =
        failure == std::errc() && end == digits.data() + digits.size() && host.port > 0;
    if (!is_port) host.problem = "what stands behind the colon is no port";
  }
  return host;
}

Strings connect_in_force(const AgentConfig& agent, const ContainerConfig& container) {
  return container.enabled && container.network_mode == "none" ? agent.connect : Strings();
}

}  // namespace relay::config
