// For tests: a container, and its Engine, which answers as the test wants.
#pragma once

#include "backend/docker/attached_container.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace relay {

class ContainerTest : public testing::Test {
 protected:
  using ScriptedEngine = engine::testing::ScriptedEngine;

  static constexpr std::chrono::seconds kHangs{60};

  // To requests with this text in their first line; others find nothing. Before anything is asked.
  void answer(std::string text, ScriptedEngine::Answer with) {
    answers_.push_back({std::move(text), std::move(with), false});
  }
  // The same, and to the first of them alone; later answers are for the others.
  void answer_once(std::string text, ScriptedEngine::Answer with) {
    answers_.push_back({std::move(text), std::move(with), true});
  }
  void answer_state(const std::string& state) {
    answer("/containers/container/json",
           ScriptedEngine::json(200, R"({"Id":"container","State":)" + state + "}"));
  }

  // The Engine does nothing else meanwhile.
  void hold_removals(bool hold) {
    holds_removals_ = hold;
    holds_removals_.notify_all();
  }

  static ScriptedEngine::Answer upgrade() {
    return {"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"};
  }
  // A log whose end is still to come.
  static ScriptedEngine::Answer log(const std::vector<std::string>& records) {
    std::string frames;
    for (const std::string& record : records) {
      frames += std::string("\1\0\0\0\0\0\0", 7) + static_cast<char>(record.size()) + record;
    }
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", frames.size());
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    return {frames.empty() ? head : head + size + frames + "\r\n"};
  }

  std::ptrdiff_t times_asked(const std::string& text) {
    return std::ranges::count_if(engine_.lines(), [&text](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
  bool was_asked(const std::string& text) { return times_asked(text) > 0; }

  void run_until(const std::function<bool()>& happened) {
    const auto deadline = std::chrono::steady_clock::now() + kHangs;
    while (!happened() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(happened()) << "it hangs";
  }
  template <class T>
  T run(Task<T> task) {
    auto done = asio::co_spawn(io_, std::move(task), asio::use_future);
    run_until(
        [&done] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return done.get();
  }

  http::Endpoint endpoint() const {
    http::Endpoint made;
    made.transport = http::Endpoint::Transport::kUnix;
    made.socket_path = engine_.path();
    return made;
  }

  struct Scripted {
    std::string text;
    ScriptedEngine::Answer answer;
    bool once;
  };
  std::vector<Scripted> answers_;  // the Engine's, once something was asked
  std::atomic<bool> holds_removals_ = false;
  ScriptedEngine engine_{[this](const std::string& line) {
    if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
    if (line.starts_with("DELETE ")) holds_removals_.wait(true);
    for (auto one = answers_.begin(); one != answers_.end(); ++one) {
      if (line.find(one->text) == std::string::npos) continue;
      ScriptedEngine::Answer given = one->answer;
      if (one->once) answers_.erase(one);
      return given;
    }
    return ScriptedEngine::json(404, R"({"message":"no such container"})");
  }};
  asio::io_context io_;
  DockerHost host_{io_.get_executor(), endpoint(), "instance", 1, Logger::silent()};
  DockerContext context_{host_, {}, Logger::silent()};
};

// Takes so many bytes, and is cut off then. To be read it has nothing but its end.
class CutStream final : public http::Stream {
 public:
  explicit CutStream(std::size_t room) : room_(room) {}

  const http::Response& head() const override { return head_; }
  Task<Result<std::string>> read_some() override { co_return std::string(); }
  Task<Result<void>> write(std::string_view bytes) override {
    if (bytes.size() > room_) {
      // A Unix socket takes a part of what is large only.
      if (bytes.size() > 16u << 10) taken_ += bytes.substr(0, room_);
      room_ = 0;
      co_return make_error(ErrorType::kInternalError, "cut off");
    }
    room_ -= bytes.size();
    taken_ += bytes;
    co_return Result<void>();
  }
  void close() override {}

  const std::string& taken() const { return taken_; }

 private:
  http::Response head_;
  std::size_t room_;
  std::string taken_;
};

// Says and takes nothing until it is closed.
class SilentStream final : public http::Stream {
 public:
  explicit SilentStream(const asio::any_io_executor& executor) : closed_(executor) {}

  const http::Response& head() const override { return head_; }
  Task<Result<std::string>> read_some() override {
    co_await closed_.wait();
    co_return make_error(ErrorType::kInternalError, "closed");
  }
  Task<Result<void>> write(std::string_view) override {
    co_await closed_.wait();
    co_return make_error(ErrorType::kInternalError, "closed");
  }
  void close() override { closed_.happen(); }

  bool is_closed() const { return closed_.happened(); }

 private:
  http::Response head_;
  Event closed_;
};

}  // namespace relay
