#include "stream_client/stream.hpp"

#include "common/loopback.hpp"

#include <cerrno>
#include <string_view>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

namespace relay::bench {

Stream::Stream(const Way& way, int receive_bytes)
    : way_(way), socket_(connect_to(way.port, receive_bytes)) {}

void Stream::ask(const StreamOptions& options, std::size_t count) {
  constexpr std::string_view kBody = R"({"prompt":""})";
  const std::size_t text = options.body > kBody.size() ? options.body - kBody.size() : 0;
  request_ = "POST " + way_.prefix + "/v1/stream?size=" + std::to_string(options.size) +
             "&count=" + std::to_string(count) + "&gather=" + (options.gather ? "1" : "0") +
             " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(way_.port) +
             "\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n"
             "User-Agent: bench\r\n";
  if (!way_.key.empty()) request_ += "Authorization: Bearer " + way_.key + "\r\n";
  request_ += "Content-Length: " + std::to_string(kBody.size() + text) + "\r\n\r\n";
  request_.append(R"({"prompt":")").append(text, 'x').append("\"}");
  answer_.begin_another();
  std::string_view left = request_;
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fail_errno("send");
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Stream::read_some(std::span<char> buffer) {
  const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return;
  if (got < 0) fail_errno("read");
  if (got == 0) fail("the connection ended before the answer");
  answer_.feed({buffer.data(), static_cast<std::size_t>(got)});
}

std::uint64_t Stream::read_all(std::span<char> buffer) {
  while (!answer_.complete()) read_some(buffer);
  return answer_.payload();
}

}  // namespace relay::bench
