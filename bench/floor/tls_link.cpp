#include "floor/tls_link.hpp"

#include <openssl/x509_vfy.h>

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace relay::bench {

namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;
constexpr const char* kUpstreamName = "localhost";

bool is_temporary(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

TlsLink::TlsLink(Fd agent, Fd upstream, SSL_CTX* context, Poller& poller, std::span<char> scratch)
    : agent_(std::move(agent)),
      upstream_(std::move(upstream)),
      session_(::SSL_new(context)),
      poller_(poller),
      scratch_(scratch) {
  set_nonblocking(upstream_.get());
  ::SSL_set_fd(session_.get(), upstream_.get());
  ::SSL_set1_host(session_.get(), kUpstreamName);
  ::SSL_set_connect_state(session_.get());
  poller_.add(agent_.get(), agent_watched_, &agent_end_);
  poller_.add(upstream_.get(), upstream_watched_, &upstream_end_);
  shake_hands();  // the first message; what becomes of it is an event
}

TlsLink::~TlsLink() {
  poller_.remove(agent_.get());
  poller_.remove(upstream_.get());
}

bool TlsLink::handle(Side side, std::uint32_t events) {
  const bool writable = (events & EPOLLOUT) != 0;
  const bool readable = (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
  bool alive = true;
  if (!is_open_) {
    alive = side == Side::kUpstream && shake_hands();
  } else if (side == Side::kAgent) {
    if (writable) alive = give_to_agent(std::exchange(to_agent_, {}));
    if (alive && writable && unfinished()) alive = read_from_upstream();
    if (alive && readable && to_upstream_.empty()) alive = read_from_agent();
  } else {
    if (writable) alive = give_to_upstream(std::exchange(to_upstream_, {}));
    if (alive && readable && to_agent_.empty()) alive = read_from_upstream();
  }
  if (alive) watch();
  return alive;
}

bool TlsLink::go_on() {
  if (!unfinished()) return true;
  const bool alive = read_from_upstream();
  if (alive) watch();
  return alive;
}

bool TlsLink::shake_hands() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(session_.get());
  is_open_ = result == 1;
  if (is_open_) return true;
  const int error = ::SSL_get_error(session_.get(), result);
  if (error == SSL_ERROR_SSL) fail_openssl("handshake with the upstream");
  return error == SSL_ERROR_WANT_READ;
}

bool TlsLink::read_from_agent() {
  const ssize_t got = ::read(agent_.get(), scratch_.data(), scratch_.size());
  if (got < 0) return is_temporary(errno);
  if (got == 0) return false;
  return give_to_upstream({scratch_.data(), static_cast<std::size_t>(got)});
}

bool TlsLink::read_from_upstream() {
  std::size_t got = 0;
  bool alive = true;
  more_ = false;
  for (;;) {
    if (scratch_.size() - got < kRecordBytes) {
      more_ = true;
      break;
    }
    ::ERR_clear_error();
    const int step =
        ::SSL_read(session_.get(), scratch_.data() + got, static_cast<int>(scratch_.size() - got));
    if (step <= 0) {
      alive = ::SSL_get_error(session_.get(), step) == SSL_ERROR_WANT_READ;
      break;
    }
    got += static_cast<std::size_t>(step);
    // Otherwise an event tells of the rest, and no read is made in vain.
    if (::SSL_has_pending(session_.get()) == 0) break;
  }
  return give_to_agent({scratch_.data(), got}) && alive;
}

bool TlsLink::give_to_agent(std::string_view bytes) {
  if (bytes.empty()) return true;
  const ssize_t written = ::write(agent_.get(), bytes.data(), bytes.size());
  if (written < 0 && !is_temporary(errno)) return false;
  if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  to_agent_ = bytes;
  return true;
}

bool TlsLink::give_to_upstream(std::string_view bytes) {
  while (!bytes.empty()) {
    ::ERR_clear_error();
    const int step = ::SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (step <= 0) {
      to_upstream_ = bytes;
      return ::SSL_get_error(session_.get(), step) == SSL_ERROR_WANT_WRITE;
    }
    bytes.remove_prefix(static_cast<std::size_t>(step));
  }
  return true;
}

/// Asks epoll for what can be used; costs nothing while neither side is full.
void TlsLink::watch() {
  std::uint32_t agent = to_agent_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT);
  std::uint32_t upstream = to_upstream_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT);
  if (is_open_ && to_upstream_.empty()) agent |= EPOLLIN;
  if (to_agent_.empty()) upstream |= EPOLLIN;
  if (agent != agent_watched_) poller_.modify(agent_.get(), agent, &agent_end_);
  if (upstream != upstream_watched_) poller_.modify(upstream_.get(), upstream, &upstream_end_);
  agent_watched_ = agent;
  upstream_watched_ = upstream;
}

}  // namespace relay::bench
