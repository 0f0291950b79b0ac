#include "engine_floor/bare_session.hpp"

#include "client/messages.hpp"
#include "common/failure.hpp"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace relay::bench {

namespace {

constexpr std::size_t kFrameHead = 8;  // stream, three zeros, size

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), with);
    at += with.size();
  }
  return text;
}

std::string fresh_name() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "sess_%016llx%016llx",
                static_cast<unsigned long long>(random()),
                static_cast<unsigned long long>(random()));
  return text.data();
}

void make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) fail_errno("cannot make " + path);
}

}  // namespace

std::string container_path(std::string_view id, std::string_view rest) {
  return std::string("/v1.41/containers/").append(id).append(rest);
}

std::string text_behind(std::string_view json, std::string_view key) {
  const std::string start = "\"" + std::string(key) + "\":\"";
  const std::size_t at = json.find(start);
  if (at == std::string_view::npos) fail("no " + std::string(key) + " in " + std::string(json));
  const std::size_t begin = at + start.size();
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

BareSession::BareSession(const SessionPlan& plan)
    : plan_(plan), calls_(plan.socket_path), waiting_(plan.socket_path) {}

void BareSession::make_directories() const {
  make_directory(directory_, 0700);
  for (const char* name : {"/workspace", "/home"}) {
    const std::string path = directory_ + name;
    make_directory(path, 0700);
    if (plan_.user != ::geteuid() && ::chown(path.c_str(), plan_.user, plan_.user) != 0) {
      fail_errno("cannot give away " + path);
    }
  }
  const std::string hosts = directory_ + "/hosts";
  const Fd file(::open(hosts.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  constexpr std::string_view kHosts = "127.0.0.1\tlocalhost\n";
  if (::write(file.get(), kHosts.data(), kHosts.size()) < 0) fail_errno("cannot write " + hosts);
}

void BareSession::start() {
  const std::string name = fresh_name();
  directory_ = plan_.base + "/" + name;
  frames_.clear();
  output_.clear();
  make_directories();
  calls_.send("POST", "/v1.41/containers/create?name=acp-agent-" + name,
              replaced(replaced(plan_.body, "@BASE@", plan_.base), "@SESSION@", name));
  container_ = text_behind(calls_.receive(201), "Id");
  attached_.emplace(plan_.socket_path);
  attached_->send("POST", container_path(container_, "/attach?stream=1&stdin=1&stdout=1&stderr=1"),
                  {}, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
  attached_->receive_head(101);
  waiting_.send("POST", container_path(container_, "/wait?condition=next-exit"));
  waiting_.receive_head(200);
  attached_->write(
      make_request(1, "initialize", R"({"protocolVersion":1,"clientCapabilities":{}})") + "\n");
  calls_.send("POST", container_path(container_, "/start"));
  if (read_line().empty()) fail("the agent did not start: " + calls_.receive(204));
  attached_->write(make_request(2, "session/new", R"({"cwd":"/workspace","mcpServers":[]})") +
                   "\n");
  agent_session_ = text_behind(read_line(), "sessionId");
  calls_.receive(204);
}

// A line of stdout; empty when the stream has ended.
std::string BareSession::read_line() {
  for (;;) {
    const std::size_t end = output_.find('\n');
    if (end != std::string::npos) {
      std::string line = output_.substr(0, end);
      output_.erase(0, end + 1);
      return line;
    }
    const std::string got = attached_->read_some();
    if (got.empty()) return {};
    frames_ += got;
    while (frames_.size() >= kFrameHead) {
      std::size_t size = 0;
      for (std::size_t i = 4; i < kFrameHead; ++i) {
        size = size * 256 + static_cast<unsigned char>(frames_[i]);
      }
      if (frames_.size() < kFrameHead + size) break;
      if (frames_[0] == 1) output_.append(frames_, kFrameHead, size);
      frames_.erase(0, kFrameHead + size);
    }
  }
}

void BareSession::echo(const std::string& line) {
  attached_->write(line);
  if (read_line().empty()) fail("the agent ended in the middle of the measurement");
}

void BareSession::terminate() {
  calls_.send("POST", container_path(container_, "/kill?signal=SIGTERM"));
  calls_.receive(204);
  waiting_.receive_body();
}

void BareSession::remove() {
  while (!attached_->read_some().empty()) {
  }
  attached_.reset();
  calls_.send("GET", container_path(container_, "/json"));
  calls_.receive(200);
  calls_.send("DELETE", container_path(container_, "?force=1&v=1"));
  calls_.receive(204);
  std::error_code failure;
  std::filesystem::remove_all(directory_, failure);
  if (failure) fail("cannot remove " + directory_ + ": " + failure.message());
}

}  // namespace relay::bench
