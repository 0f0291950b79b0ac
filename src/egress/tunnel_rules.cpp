#include "egress/tunnel_rules.hpp"

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
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

struct Range {
  const char* first;
  unsigned short bits;  // of it, that all have in common
};

// What nobody elsewhere has.
constexpr std::array kNotElsewhere{
    Range{"0.0.0.0", 8},           // this network
    Range{"127.0.0.0", 8},         // loopback
    Range{"169.254.0.0", 16},      // link-local, with the metadata service of most clouds
    Range{"224.0.0.0", 3},         // multicast, and reserved
    Range{"fe80::", 10},           // link-local
    Range{"ff00::", 8},            // multicast
    Range{"100.100.100.200", 32},  // the metadata service of Alibaba Cloud
    Range{"168.63.129.16", 32},    // of Azure (WireServer)
    Range{"192.0.0.192", 32},      // of Oracle Cloud
    Range{"fd00:ec2::", 32},       // of AWS, with its other services for one instance
    Range{"fd20:ce::254", 128},    // of Google Cloud
    Range{"fd00:42::42", 128},     // of Scaleway
};

struct Embedding {
  Range range;
  std::size_t at;  // where in the address the one of IPv4 begins
};

constexpr std::array kEmbeddings{
    Embedding{{"::", 96}, 12},            // compatible; :: and ::1 are of 0.0.0.0/8 so
    Embedding{{"::ffff:0:0", 96}, 12},    // mapped
    Embedding{{"::ffff:0:0:0", 96}, 12},  // translated (RFC 2765)
    Embedding{{"64:ff9b::", 96}, 12},     // NAT64 (RFC 6052)
    Embedding{{"64:ff9b:1::", 48}, 12},   // NAT64 of a network's own (RFC 8215), as /96
    Embedding{{"2002::", 16}, 2},         // 6to4 (RFC 3056)
};

bool is_within(const ip::address& address, const Range& range) {
  const ip::address first = ip::make_address(range.first);
  if (address.is_v4() != first.is_v4()) return false;
  return address.is_v4() ? ip::network_v4(address.to_v4(), range.bits).network() == first.to_v4()
                         : ip::network_v6(address.to_v6(), range.bits).network() == first.to_v6();
}

// The address that is reached by it: the one of IPv4 that one of IPv6 stands for, or itself,
// whatever its link.
ip::address reached_by(const ip::address& address) {
  if (address.is_v4()) return address;
  const ip::address_v6 outer(address.to_v6().to_bytes());
  for (const Embedding& embedding : kEmbeddings) {
    if (!is_within(outer, embedding.range)) continue;
    const auto bytes = outer.to_bytes();
    ip::address_v4::bytes_type inner;
    std::copy_n(bytes.begin() + embedding.at, inner.size(), inner.begin());
    return ip::address_v4(inner);
  }
  return outer;
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

bool is_elsewhere(const ip::address& address, std::span<const ip::address> own) {
  const ip::address reached = reached_by(address);
  const auto is_reached = [&](const ip::address& one) { return reached_by(one) == reached; };
  const auto has_it = [&](const Range& range) { return is_within(reached, range); };
  return std::ranges::none_of(own, is_reached) && std::ranges::none_of(kNotElsewhere, has_it);
}

}  // namespace relay::egress
