// One connection of an agent and the one to its upstream, over TLS. What the other side does not
// take at once is kept, at most what one read brought, and then nothing more is read for it.
#pragma once

#include "common/fd.hpp"
#include "common/openssl.hpp"
#include "common/poller.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace relay::bench {

class TlsLink {
 public:
  enum class Side { kAgent, kUpstream };
  /// What an epoll entry points to.
  struct End {
    TlsLink* link;
    Side side;
  };

  /// Both sockets are connected. `scratch` is used during calls only, so all links share it.
  TlsLink(Fd agent, Fd upstream, SSL_CTX* context, Poller& poller, std::span<char> scratch);
  ~TlsLink();
  TlsLink(const TlsLink&) = delete;
  TlsLink& operator=(const TlsLink&) = delete;

  /// False when either side has ended and the link is to be dropped.
  bool handle(Side side, std::uint32_t events);

  /// True when more was read from the socket than fitted into the scratch: then go_on() is due,
  /// since no event tells of it.
  [[nodiscard]] bool unfinished() const { return more_ && to_agent_.empty(); }
  bool go_on();

 private:
  bool shake_hands();
  bool read_from_agent();
  bool read_from_upstream();
  bool give_to_agent(std::string_view bytes);
  bool give_to_upstream(std::string_view bytes);
  void watch();

  Fd agent_;
  Fd upstream_;
  OpensslSession session_;
  Poller& poller_;
  std::span<char> scratch_;
  std::string to_agent_;     // kept
  std::string to_upstream_;  // kept
  bool is_open_ = false;     // the handshake is over
  bool more_ = false;
  std::uint32_t agent_watched_ = 0;
  std::uint32_t upstream_watched_ = EPOLLIN;
  End agent_end_{this, Side::kAgent};
  End upstream_end_{this, Side::kUpstream};
};

}  // namespace relay::bench
