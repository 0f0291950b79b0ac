// model_server PORT CERTIFICATE KEY
//
// Stands for a model behind TLS on 127.0.0.1: each request is answered with a stream of chunks as
// fast as they are taken. It costs as little as it can; a thread a connection, blocking.
//
//   POST ANYTHING/stream?size=BYTES&count=CHUNKS&gather=0|1
//
// Each chunk is one server-sent event of `size` bytes and has TLS records of its own. It is
// written by itself, as a model writes each token, or with `gather` as many as fit into 16 KiB.

#include "common/loopback.hpp"
#include "common/openssl.hpp"
#include "common/poller.hpp"
#include "model/event_chunk.hpp"

#include <openssl/bio.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <utility>

namespace relay::bench {

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr int kGatherBytes = 16 * 1024;
// As on a network: those of the loopback are so large that few fit into the send buffer.
constexpr int kSegmentBytes = 1448;
// Fixed, or a stream would have megabytes in the kernel before anybody holds it up.
constexpr int kSendBytes = 32 * 1024;
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kEnd = "0\r\n\r\n";

OpensslContext server_context(const char* certificate, const char* key) {
  OpensslContext context(::SSL_CTX_new(::TLS_server_method()));
  if (!context || ::SSL_CTX_use_certificate_chain_file(context.get(), certificate) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(context.get(), key, SSL_FILETYPE_PEM) != 1) {
    fail_openssl("certificate and key");
  }
  return context;
}

/// One connection; every function says false when it is over.
class Peer {
 public:
  Peer(Fd socket, SSL_CTX* context) : socket_(std::move(socket)), session_(::SSL_new(context)) {
    set_no_delay(socket_.get());
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &kSendBytes, sizeof kSendBytes);
    BIO* const in = ::BIO_new_socket(socket_.get(), BIO_NOCLOSE);
    BIO* const gathered = ::BIO_new(::BIO_f_buffer());
    BIO_set_write_buffer_size(gathered, kGatherBytes);
    out_ = ::BIO_push(gathered, ::BIO_new_socket(socket_.get(), BIO_NOCLOSE));
    ::SSL_set_bio(session_.get(), in, out_);
  }

  bool accept() { return ::SSL_accept(session_.get()) == 1; }

  /// The target of the next request; its body has been read.
  std::optional<std::string> next_request() {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!read()) return std::nullopt;
    }
    const std::string head = received_.substr(0, end);
    const std::size_t whole = end + 4 + body_bytes(head);
    while (received_.size() < whole) {
      if (!read()) return std::nullopt;
    }
    received_.erase(0, whole);
    const std::size_t target = head.find(' ') + 1;
    return head.substr(target, head.find(' ', target) - target);
  }

  bool answer(const std::string& target) {
    const std::string chunk = event_chunk(number_in(target, "size"));
    const std::size_t count = number_in(target, "count");
    const bool gather = number_in(target, "gather") != 0;
    bool written = write(kHead);
    for (std::size_t i = 0; i < count && written; ++i) {
      written = write(chunk) && (gather || flush());
    }
    return written && write(kEnd) && flush();
  }

 private:
  bool read() {
    const std::size_t before = received_.size();
    received_.resize(before + kReadBytes);
    const int got = ::SSL_read(session_.get(), received_.data() + before, kReadBytes);
    received_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    return got > 0;
  }
  bool write(std::string_view bytes) {
    return ::SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  bool flush() { return BIO_flush(out_) == 1; }

  Fd socket_;
  OpensslSession session_;
  BIO* out_ = nullptr;  // the session's
  std::string received_;
};

void serve(Fd socket, SSL_CTX* context) {
  Peer peer(std::move(socket), context);
  bool alive = peer.accept();
  while (alive) {
    const std::optional<std::string> target = peer.next_request();
    alive = target && peer.answer(*target);
  }
  ::ERR_clear_error();
}

}  // namespace

}  // namespace relay::bench

int main(int argc, char** argv) {
  using namespace relay::bench;
  if (argc != 4) fail("usage: model_server PORT CERTIFICATE KEY");
  ::signal(SIGPIPE, SIG_IGN);
  const OpensslContext context = server_context(argv[2], argv[3]);
  const Fd listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  ::setsockopt(listener.get(), IPPROTO_TCP, TCP_MAXSEG, &kSegmentBytes, sizeof kSegmentBytes);
  Poller poller;
  poller.add(listener.get(), EPOLLIN, nullptr);
  for (;;) {
    poller.wait();
    Fd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) std::thread(serve, std::move(socket), context.get()).detach();
  }
}
