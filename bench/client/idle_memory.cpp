#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "client/scenarios.hpp"

#include <memory>
#include <string>
#include <vector>

namespace relay::bench {

namespace {

// Made before the first reading, so that what a program allocates once is not counted.
constexpr std::size_t kWarmUpItems = 20;

struct Reading {
  Memory relay;
  double available = 0;
};

Reading read_when_idle(pid_t pid) {
  cpu_time_when_idle(pid);
  return {memory_of(pid), available_memory()};
}

void print_growth(const Reading& before, const Reading& after, std::size_t items) {
  const auto count = static_cast<double>(items);
  print_results({{"pss_kib", (after.relay.pss - before.relay.pss) / count},
                 {"rss_kib", (after.relay.rss - before.relay.rss) / count},
                 {"machine_kib", (before.available - after.available) / count},
                 {"relay_pss_kib", before.relay.pss}});
}

}  // namespace

void measure_idle_sessions(const Options& options) {
  // One HTTP connection makes them all, so that no client's memory is counted.
  Connection connection(Framing::kHttp, options.port);
  for (std::size_t i = 0; i < kWarmUpItems; ++i) open_session(connection);
  const Reading before = read_when_idle(options.pid);
  for (std::size_t i = 0; i < options.count; ++i) open_session(connection);
  print_growth(before, read_when_idle(options.pid), options.count);
}

void measure_idle_clients(const Options& options) {
  Connection first(Framing::kWebSocket, options.port);
  const std::string params = R"({"sessionId":")" + open_session(first) + "\"}";
  std::vector<std::unique_ptr<Connection>> clients;
  const auto join = [&] {
    clients.push_back(std::make_unique<Connection>(Framing::kWebSocket, options.port));
    clients.back()->call("session/resume", params);
  };
  for (std::size_t i = 0; i < kWarmUpItems; ++i) join();
  const Reading before = read_when_idle(options.pid);
  for (std::size_t i = 0; i < options.count; ++i) join();
  print_growth(before, read_when_idle(options.pid), options.count);
}

}  // namespace relay::bench
