// tls_forwarder PORT UPSTREAM_PORT CA_FILE
//
// The floor of an agent's way to its upstream: TCP on 127.0.0.1, and for each connection one over
// TLS to the upstream. Bytes go between them by bare epoll, in one thread; no HTTP, no rules, no
// credential, no limits. Runs until the program is ended by a signal.

#include "common/loopback.hpp"
#include "common/openssl.hpp"
#include "common/poller.hpp"
#include "floor/tls_link.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <signal.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kScratchBytes = 256 * 1024;
constexpr std::size_t kReadAheadBytes = 64 * 1024;

OpensslContext client_context(const char* ca_file) {
  OpensslContext context(::SSL_CTX_new(::TLS_client_method()));
  if (!context || ::SSL_CTX_load_verify_locations(context.get(), ca_file, nullptr) != 1) {
    fail_openssl("authority");
  }
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Many small records with one read.
  SSL_CTX_set_read_ahead(context.get(), 1);
  ::SSL_CTX_set_default_read_buffer_len(context.get(), kReadAheadBytes);
  return context;
}

class TlsForwarder {
 public:
  TlsForwarder(std::uint16_t port, std::uint16_t upstream_port, const char* ca_file)
      : context_(client_context(ca_file)),
        listener_(listen_on(port)),
        upstream_port_(upstream_port),
        scratch_(kScratchBytes) {
    poller_.add(listener_.get(), EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    for (;;) {
      const std::vector<TlsLink*> again = std::exchange(unfinished_, {});
      for (const epoll_event& event : poller_.wait(again.empty() ? -1 : 0)) {
        if (event.data.ptr == nullptr) {
          accept_links();
          continue;
        }
        const auto& end = *static_cast<const TlsLink::End*>(event.data.ptr);
        if (!has_ended(end.link)) note(end.link, end.link->handle(end.side, event.events));
      }
      for (TlsLink* link : again) {
        if (!has_ended(link)) note(link, link->go_on());
      }
      // Dropped only here, because later events of the same batch may point to the link.
      for (const TlsLink* ended : ended_) {
        std::erase(unfinished_, ended);
        std::erase_if(links_, [ended](const auto& owned) { return owned.get() == ended; });
      }
      ended_.clear();
    }
  }

 private:
  void accept_links() {
    for (;;) {
      Fd plain(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!plain.valid()) return;
      set_no_delay(plain.get());
      links_.push_back(std::make_unique<TlsLink>(std::move(plain), connect_to(upstream_port_),
                                                 context_.get(), poller_, scratch_));
    }
  }

  [[nodiscard]] bool has_ended(const TlsLink* link) const {
    return std::ranges::find(ended_, link) != ended_.end();
  }

  void note(TlsLink* link, bool alive) {
    if (!alive) ended_.push_back(link);
    if (alive && link->unfinished() && std::ranges::find(unfinished_, link) == unfinished_.end()) {
      unfinished_.push_back(link);
    }
  }

  Poller poller_;
  OpensslContext context_;
  Fd listener_;
  std::uint16_t upstream_port_;
  std::vector<char> scratch_;
  std::vector<std::unique_ptr<TlsLink>> links_;
  std::vector<TlsLink*> unfinished_;
  std::vector<const TlsLink*> ended_;
};

}  // namespace

}  // namespace relay::bench

int main(int argc, char** argv) {
  if (argc != 4) relay::bench::fail("usage: tls_forwarder PORT UPSTREAM_PORT CA_FILE");
  ::signal(SIGPIPE, SIG_IGN);
  relay::bench::TlsForwarder(static_cast<std::uint16_t>(std::atoi(argv[1])),
                             static_cast<std::uint16_t>(std::atoi(argv[2])), argv[3])
      .run();
}
