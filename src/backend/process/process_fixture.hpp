// For tests: agents that are small shell scripts, and a loop with a deadline to run them on.
#pragma once

#include "backend/process/process_backend.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace relay {

using namespace std::chrono_literals;

class ProcessFixture : public testing::Test {
 protected:
  ProcessFixture() { std::signal(SIGPIPE, SIG_IGN); }

  // Runs `task` to its end on the loop.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr thrown, T value) {
      failure = thrown;
      if (!thrown) result.emplace(std::move(value));
      ended = true;
    });
    run_until([&] { return ended; });
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }

  template <class Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    io_.restart();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("deadline passed");
      io_.run_one_for(10ms);
      if (io_.stopped()) io_.restart();
    }
  }

  static ProcessOptions shell(std::string script) {
    ProcessOptions options;
    options.command = "sh";
    options.args = {"-c", std::move(script)};
    return options;
  }

  Result<std::unique_ptr<Agent>> try_launch(ProcessOptions options, LaunchSpec spec = {}) {
    ProcessBackend backend(io_.get_executor(), std::move(options), Logger::silent());
    return run(backend.launch(std::move(spec)));
  }

  std::unique_ptr<Agent> launch(ProcessOptions options, LaunchSpec spec = {}) {
    auto agent = try_launch(std::move(options), std::move(spec));
    if (!agent) throw std::runtime_error(agent.error().explanation);
    return std::move(*agent);
  }

  std::unique_ptr<Agent> launch_shell(std::string script) {
    return launch(shell(std::move(script)));
  }

  Result<void> send(Agent& agent, std::vector<std::string> messages) {
    std::vector<SharedBytes> bytes;
    for (std::string& message : messages) bytes.emplace_back(std::move(message));
    return run(agent.send(bytes));
  }

  // Lines until there are `count`, or all of them when stdout ends earlier.
  std::vector<std::string> read_lines(Agent& agent, std::size_t count) {
    std::vector<std::string> lines;
    while (lines.size() < count) {
      std::optional<AgentOutput> output = run(agent.receive());
      if (!output) break;
      for (std::string& line : output->lines) lines.push_back(std::move(line));
    }
    return lines;
  }

  std::vector<std::string> all_lines(Agent& agent) { return read_lines(agent, SIZE_MAX); }

  static std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++count;
    }
    return count;
  }

  // A killed process that init has not reaped yet counts as gone.
  static bool is_running(pid_t pid);

  asio::io_context io_;
};

}  // namespace relay
