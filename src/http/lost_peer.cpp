#include "http/lost_peer.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace relay::http {

void notice_a_lost_peer(int socket) {
  const auto set = [socket](int level, int name, int value) {
    ::setsockopt(socket, level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);  // seconds
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
}

Acknowledgements acknowledgements(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return {info.tcpi_retransmits > 0, std::chrono::milliseconds(info.tcpi_last_ack_recv)};
}

Silence::Clock::duration Silence::look(const Acknowledgements& seen, Clock::time_point now) {
  if (!seen.is_due) {
    since_ = Clock::time_point::max();
    return {};
  }
  const bool came = since_ == Clock::time_point::max() || now - seen.since_last > since_;
  if (came) since_ = now;
  return now - since_;
}

}  // namespace relay::http
