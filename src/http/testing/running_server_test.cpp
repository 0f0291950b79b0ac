#include "http/testing/running_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace relay::http::testing {

RunningServer::RunningServer(ServerOptions options, Handler handler) {
  auto made =
      Server::bind(loop_.get_executor(), std::move(options), std::move(handler), Logger::silent());
  if (!made) {
    ADD_FAILURE() << made.error().explanation;
    std::abort();
  }
  server_ = std::move(*made);
  EXPECT_TRUE(server_->listen());
  port_ = server_->port();
  asio::co_spawn(loop_, server_->run(), asio::detached);
  thread_ = std::thread([this] { loop_.run(); });
}

Task<void> echo(Exchange& exchange) {
  const Result<WebSocket*> accepted = co_await exchange.accept_websocket("", kNoHeaders);
  if (!accepted) co_return;
  WebSocket& socket = **accepted;
  for (;;) {
    const std::vector<std::string> messages = co_await socket.receive();
    if (messages.empty()) co_return;
    const std::vector<std::string_view> views(messages.begin(), messages.end());
    const Result<void> sent = co_await socket.send(views);
    if (!sent) co_return;
  }
}

RunningServer::~RunningServer() {
  stop(std::chrono::milliseconds(0));
  thread_.join();
}

std::size_t RunningServer::connections() {
  return on_loop([this] { return server_->connections(); });
}

std::size_t RunningServer::on_loop(const std::function<std::size_t()>& ask) {
  std::promise<std::size_t> answer;
  asio::post(loop_, [&] { answer.set_value(ask()); });
  return answer.get_future().get();
}

void RunningServer::stop(std::chrono::milliseconds deadline) {
  if (stopped_) return;
  stopped_ = true;
  asio::co_spawn(loop_, server_->stop(deadline), asio::use_future).get();
}

namespace {

constexpr std::chrono::seconds kPatience{60};

UniqueFd patient(UniqueFd socket) {
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return socket;
}

UniqueFd patient_socket() {
  return patient(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Its port, which the system chooses.
std::uint16_t bind_to_loopback(const UniqueFd& socket) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 ||
      ::getsockname(socket.get(), generic, &size) != 0) {
    ADD_FAILURE() << "bind failed";
  }
  return ntohs(address.sin_port);
}

}  // namespace

RawClient::RawClient(std::uint16_t port) : fd_(patient_socket()) {
  const sockaddr_in address = loopback(port);
  if (::connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << "connect failed";
  }
}

RawClient::RawClient(UniqueFd connected) : fd_(std::move(connected)) {}

RawServer::RawServer() : fd_(patient_socket()), port_(bind_to_loopback(fd_)) {
  if (::listen(fd_.get(), SOMAXCONN) != 0) ADD_FAILURE() << "listen failed";
}

std::unique_ptr<RawClient> RawServer::accept() {
  UniqueFd connected(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connected) ADD_FAILURE() << "nobody connected";
  return std::make_unique<RawClient>(patient(std::move(connected)));
}

bool RawServer::has_connection() const {
  pollfd waiting{fd_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawClient::shutdown_send() { ::shutdown(fd(), SHUT_WR); }

void RawClient::close() { fd_.reset(); }

bool RawClient::read_more() {
  char bytes[65536];
  const ssize_t got = ::recv(fd(), bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string RawClient::read_until(std::string_view end) {
  std::size_t at = buffer_.find(end);
  while (at == std::string::npos) {
    if (!read_more()) return std::exchange(buffer_, {});
    at = buffer_.find(end);
  }
  std::string out = buffer_.substr(0, at + end.size());
  buffer_.erase(0, out.size());
  return out;
}

std::string RawClient::read_exactly(std::size_t bytes) {
  while (buffer_.size() < bytes && read_more()) {
  }
  std::string out = buffer_.substr(0, bytes);
  buffer_.erase(0, out.size());
  return out;
}

std::string RawClient::read_all() {
  while (read_more()) {
  }
  return std::exchange(buffer_, {});
}

std::string RawClient::read_answer() {
  std::string head = read_until("\r\n\r\n");
  const std::size_t at = head.find("Content-Length: ");
  if (at == std::string::npos) return head;
  return head + read_exactly(std::strtoul(head.c_str() + at + 16, nullptr, 10));
}

ClosedPort::ClosedPort() : fd_(patient_socket()), port_(bind_to_loopback(fd_)) {}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace relay::http::testing
