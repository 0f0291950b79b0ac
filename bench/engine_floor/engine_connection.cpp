#include "engine_floor/engine_connection.hpp"

#include "common/failure.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace relay::bench {

namespace {

constexpr timeval kPatience{60, 0};
constexpr std::string_view kLineEnd = "\r\n";

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

EngineConnection::EngineConnection(const std::string& socket_path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) fail("socket path too long: " + socket_path);
  socket_path.copy(address.sun_path, socket_path.size());
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_errno("cannot connect to " + socket_path);
  }
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
}

void EngineConnection::send(std::string_view method, std::string_view target, std::string_view json,
                            std::string_view headers) {
  request_.assign(method).append(" ").append(target);
  std::string text = request_ + " HTTP/1.1\r\nHost: engine\r\n";
  text.append(headers);
  if (!json.empty()) text.append("Content-Type: application/json\r\n");
  text.append("Content-Length: ").append(std::to_string(json.size())).append("\r\n\r\n");
  write(text.append(json));
}

void EngineConnection::receive_head(int status) {
  const std::string first = take_line();
  chunked_ = false;
  length_ = 0;
  for (std::string line = take_line(); !line.empty(); line = take_line()) {
    const std::string header = lower(line);
    if (header.starts_with("transfer-encoding: chunked")) chunked_ = true;
    if (header.starts_with("content-length: ")) length_ = std::stoul(header.substr(16));
  }
  if (!first.starts_with("HTTP/1.1 " + std::to_string(status))) {
    fail(request_ + ": " + first + ": " + receive_body());
  }
}

std::string EngineConnection::receive_body() {
  if (!chunked_) return take(std::exchange(length_, 0));
  std::string body;
  for (;;) {
    const std::size_t size = std::stoul(take_line(), nullptr, 16);
    body += take(size);
    take_line();
    if (size == 0) return body;
  }
}

void EngineConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno("cannot send to the Engine: " + request_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string EngineConnection::read_some() {
  if (received_.empty()) fill();
  return std::exchange(received_, {});
}

// Adds at least one byte, or none at the end of the stream.
void EngineConnection::fill() {
  std::array<char, 64 * 1024> bytes;
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail_errno("no answer of the Engine: " + request_);
  received_.append(bytes.data(), static_cast<std::size_t>(got));
}

void EngineConnection::need(std::size_t size) {
  while (received_.size() < size) {
    const std::size_t before = received_.size();
    fill();
    if (received_.size() == before) fail("the Engine closed a connection: " + request_);
  }
}

std::string EngineConnection::take(std::size_t size) {
  need(size);
  std::string taken = received_.substr(0, size);
  received_.erase(0, size);
  return taken;
}

std::string EngineConnection::take_line() {
  std::size_t end = received_.find(kLineEnd);
  for (; end == std::string::npos; end = received_.find(kLineEnd)) need(received_.size() + 1);
  std::string line = take(end + kLineEnd.size());
  line.resize(end);
  return line;
}

}  // namespace relay::bench
