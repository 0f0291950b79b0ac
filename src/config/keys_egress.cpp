#include "config/keys.hpp"
#include "config/upstream_presets.hpp"

namespace relay::config {

void add_egress_keys(std::vector<Key>& keys) {
  using E = EgressConfig;
  constexpr std::uint64_t kKibi = 1u << 10;
  constexpr std::uint64_t kGibi = 1u << 30;
  Section at(keys, "egress.", [](auto& config) -> auto& { return config.egress; });

  at("port", &E::port, count<std::uint16_t>(1, 65535),
     "Port of 127.0.0.1 in a container at which its agent reaches the upstreams, as "
     "http://127.0.0.1:PORT/NAME.");
  at("carrier", &E::carrier,
     choice<EgressCarrier>({{"auto", EgressCarrier::kAuto},
                            {"unix", EgressCarrier::kUnix},
                            {"stdio", EgressCarrier::kStdio}}),
     "How connections of an agent in a container reach the relay. unix: by a socket that is "
     "mounted "
     "into it; stdio: by the streams of a command in it, where a socket can't be reached: an "
     "Engine "
     "on another machine, SELinux, a runtime with a kernel of its own; auto: unix where that is "
     "possible.");
  at("max_connections", &E::max_connections, count<std::size_t>(1, 4096),
     "Connections of one session at a time; more are refused with 503.");
  at("max_upstream_connections", &E::max_upstream_connections, count<std::size_t>(1, 65536),
     "Connections to one upstream at a time, of all sessions together, and as many to all hosts of "
     "agent.connect; what would need another one is refused with 503. From 64 on "
     "the last quarter is for sessions that have less than one in 64 of them.");
  at("max_body_bytes", &E::max_body_bytes, size<std::size_t>(kKibi, 64 * kGibi),
     "Largest body of one request; it is passed on as it comes and not kept.");
  at("silence", &E::silence, duration(kSome),
     "The longest time that an upstream may take nothing of a request, or say nothing while its "
     "answer is waited for, or in the "
     "middle of it.");
  at("idle_timeout", &E::idle_timeout, duration(kSome),
     "The longest time that nothing may be said on an agent's connection between two requests, or "
     "on a WebSocket by either side, and that an agent may leave an answer unread; then its "
     "connection is closed.");
  at("connect_timeout", &E::connect_timeout, duration(kSome),
     "Time for a connection to an upstream, with TLS.");
  at("upstreams", &E::upstreams, upstreams(),
     "What agents may reach, by name: {url, ca_file, credential, allow, budget, preset, "
     "allow_unsafe}, see Upstreams in docs/configuration.md. An upstream that is called as a "
     "preset (" +
         upstream_preset_names() +
         ") or names one has its url, its place for the credential and its allow rules, where it "
         "does not say its own.");
}

}  // namespace relay::config
