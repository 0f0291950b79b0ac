// For tests: what a real Engine can't be made to do. An HTTP server on a Unix socket, on a thread
// of its own, whose every answer is raw bytes that the test gives.
#pragma once

#include "base/unique_fd.hpp"

#include <array>
#include <functional>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::engine::testing {

class ScriptedEngine {
 public:
  struct Answer {
    std::string bytes;  // empty: silence
    bool close = false;
  };
  // Told the first line of a request, on the server's thread.
  using Script = std::function<Answer(const std::string& line)>;

  static Answer json(int status, const std::string& body) {
    return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" +
            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
  }
  static Answer version(const std::string& api, const std::string& min_api) {
    return json(200, R"({"Version":"0.1","ApiVersion":")" + api + R"(","MinAPIVersion":")" +
                         min_api + R"("})");
  }

  explicit ScriptedEngine(Script script)
      : script_(std::move(script)),
        path_("/tmp/scripted_engine_" + std::to_string(::getpid()) + ".sock"),
        listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        stop_(::eventfd(0, EFD_CLOEXEC)) {
    ::unlink(path_.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::abort();
    }
    ::listen(listener_.get(), 16);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedEngine(const ScriptedEngine&) = delete;
  ScriptedEngine& operator=(const ScriptedEngine&) = delete;
  ~ScriptedEngine() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
    ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  struct Connection {
    UniqueFd fd;
    std::string got;
  };

  void serve() {
    std::vector<Connection> connections;
    for (;;) {
      std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const Connection& one : connections) polled.push_back({one.fd.get(), POLLIN, 0});
      ::poll(polled.data(), polled.size(), -1);
      if (polled[0].revents != 0) return;
      for (std::size_t i = connections.size(); i-- > 0;) {
        const bool is_open = polled[i + 2].revents == 0 || receive(connections[i]);
        if (!is_open) connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (polled[1].revents != 0) {
        const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) connections.push_back({UniqueFd(fd), {}});
      }
    }
  }

  // False: the connection is over.
  bool receive(Connection& connection) {
    std::array<char, 65536> bytes{};
    const ssize_t got = ::recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    connection.got.append(bytes.data(), static_cast<std::size_t>(got));
    const std::size_t end = connection.got.find("\r\n\r\n");
    if (end == std::string::npos) return true;
    const std::string mark = "Content-Length: ";
    const std::size_t length = connection.got.find(mark);
    const std::size_t body =
        length < end ? std::stoul(connection.got.substr(length + mark.size())) : 0;
    if (connection.got.size() < end + 4 + body) return true;
    const std::string line = connection.got.substr(0, connection.got.find("\r\n"));
    connection.got.erase(0, end + 4 + body);
    {
      const std::lock_guard lock(mutex_);
      lines_.push_back(line);
    }
    const Answer answer = script_(line);
    ::send(connection.fd.get(), answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL);
    return !answer.close;
  }

  Script script_;
  std::string path_;
  UniqueFd listener_, stop_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::thread thread_;
};

}  // namespace relay::engine::testing
