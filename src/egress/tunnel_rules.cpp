#include "egress/tunnel_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace relay::egress {
namespace {

namespace ip = boost::asio::ip;

constexpr const char* kKey = "agent.connect";

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

std::optional<HostAndPort> parse(std::string_view target) {
  const std::size_t colon = target.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  HostAndPort parsed;
  for (const char c : target.substr(0, colon)) {
    const bool is_capital = c >= 'A' && c <= 'Z';
    parsed.host += is_capital ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::string_view digits = target.substr(colon + 1);
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return parsed;
}

bool lets_through(const TunnelRule& rule, const HostAndPort& asked) {
  if (rule.port != asked.port) return false;
  if (!rule.any_below) return asked.host == rule.name;
  const std::string end = "." + rule.name;
  // Rules hold names of letters, digits, "-" and "_" only, the part that a host adds may not be
  // anything else either.
  const auto is_in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return asked.host.size() > end.size() && asked.host.ends_with(end) && asked.host.front() != '.' &&
         asked.host.find("..") == std::string::npos && std::ranges::all_of(asked.host, is_in_name);
}

std::string shown(std::string_view target) {
  constexpr std::size_t kMost = 200;
  return "\"" + std::string(target.substr(0, kMost)) + (target.size() > kMost ? "...\"" : "\"");
}

bool is_elsewhere_v4(const ip::address_v4& address) {
  const auto bytes = address.to_bytes();
  const bool is_this_network = bytes[0] == 0;
  const bool is_link_local = bytes[0] == 169 && bytes[1] == 254;
  const bool is_for_many_or_reserved = bytes[0] >= 224;
  return !is_this_network && !address.is_loopback() && !is_link_local && !is_for_many_or_reserved;
}

// An IPv4 address within one of IPv6: mapped (::ffff:0:0/96), or what NAT64 makes of it
// (64:ff9b::/96, RFC 6052).
std::optional<ip::address_v4> inner_address(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  constexpr std::array<unsigned char, 12> kNat64{0x00, 0x64, 0xff, 0x9b};
  const bool is_inner =
      address.is_v4_mapped() || std::equal(kNat64.begin(), kNat64.end(), bytes.begin());
  if (!is_inner) return std::nullopt;
  return ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]});
}

}  // namespace

std::string to_string(const TunnelRule& rule) {
  return (rule.any_below ? "*." : "") + rule.name + ":" + std::to_string(rule.port);
}

std::variant<TunnelPassage, Denial> judge_tunnel(std::string_view target,
                                                 std::span<const TunnelRule> rules) {
  if (rules.empty()) {
    return Denial{Refusal::kNotAllowed, 405, "CONNECT is not allowed to this agent", kKey,
                  "Name the hosts there that it may reach."};
  }
  const std::optional<HostAndPort> asked = parse(target);
  if (!asked) {
    return Denial{Refusal::kBadRequest, 400, shown(target) + " is not HOST:PORT", "", ""};
  }
  const auto fits = [&](const TunnelRule& rule) { return lets_through(rule, *asked); };
  const auto rule = std::ranges::find_if(rules, fits);
  if (rule == rules.end()) {
    return Denial{Refusal::kNotAllowed, 403, shown(target) + " is no host that the agent may reach",
                  kKey, "Add it there if agents need it."};
  }
  return TunnelPassage{asked->host, asked->port, &*rule};
}

bool is_elsewhere(const ip::address& address) {
  if (address.is_v4()) return is_elsewhere_v4(address.to_v4());
  const ip::address_v6& v6 = address.to_v6();
  if (const auto inner = inner_address(v6)) return is_elsewhere_v4(*inner);
  return !v6.is_loopback() && !v6.is_unspecified() && !v6.is_link_local() && !v6.is_multicast();
}

}  // namespace relay::egress
