#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "engine_floor/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>

namespace relay::bench {

namespace {

using Results = std::vector<std::pair<std::string, double>>;

// Sessions that were started end this many at a time, which is not measured.
constexpr std::size_t kEndsAtATime = 4;

/// Calls work(worker, item) for each item, `workers` of them at a time.
void for_all(std::size_t items, std::size_t workers,
             const std::function<void(std::size_t, std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t item = next++; item < items; item = next++) work(worker, item);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

double starts_a_second(std::size_t items, std::size_t workers,
                       const std::function<void(std::size_t, std::size_t)>& start) {
  const Clock::time_point begin = Clock::now();
  for_all(items, workers, start);
  return static_cast<double>(items) / microseconds_between(begin, Clock::now()) * 1e6;
}

double start_bare(const SessionPlan& plan, std::size_t items, std::size_t workers) {
  std::vector<std::unique_ptr<BareSession>> sessions;
  for (std::size_t i = 0; i < items; ++i) sessions.push_back(std::make_unique<BareSession>(plan));
  const double rate = starts_a_second(
      items, workers, [&](std::size_t, std::size_t item) { sessions[item]->start(); });
  for_all(items, kEndsAtATime, [&](std::size_t, std::size_t item) {
    sessions[item]->terminate();
    sessions[item]->remove();
  });
  return rate;
}

double start_by_relay(std::uint16_t port, std::size_t items, std::size_t workers) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < std::max(workers, kEndsAtATime); ++i) {
    connections.push_back(std::make_unique<Connection>(Framing::kWebSocket, port));
  }
  std::vector<std::string> sessions(items);
  const double rate = starts_a_second(items, workers, [&](std::size_t worker, std::size_t item) {
    sessions[item] = open_session(*connections[worker]);
  });
  for_all(items, kEndsAtATime, [&](std::size_t worker, std::size_t item) {
    connections[worker]->call("session/close", R"({"sessionId":")" + sessions[item] + "\"}");
  });
  return rate;
}

}  // namespace

void measure_at_once(const ContainerOptions& options) {
  const BareContender& floor = options.bare.front();
  Results of_floor;
  Results of_relay;
  for (const std::size_t workers : options.at_a_time) {
    const std::string name = "at_" + std::to_string(workers);
    of_floor.emplace_back(name, start_bare(floor.plan, options.count, workers));
    if (options.port == 0) continue;
    of_relay.emplace_back(name, start_by_relay(options.port, options.count, workers));
  }
  std::printf("%s\t", floor.name.c_str());
  print_results(of_floor);
  if (options.port == 0) return;
  std::printf("%s\t", options.relay.c_str());
  print_results(of_relay);
}

}  // namespace relay::bench
