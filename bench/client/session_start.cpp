#include "client/bare_handshake.hpp"
#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "client/scenarios.hpp"

#include <string>
#include <sys/wait.h>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kWarmUpRounds = 5;

/// The floor: posix_spawn and the agent's own handshake, nothing else.
double start_bare(const std::string& agent) {
  const Clock::time_point begin = Clock::now();
  Child child = spawn_child(agent);
  shake_hands(child);
  const double elapsed = microseconds_between(begin, Clock::now());
  child.input.reset();
  ::waitpid(child.pid, nullptr, 0);
  return elapsed;
}

double start_by_relay(Connection& connection) {
  const Clock::time_point begin = Clock::now();
  const std::string session = open_session(connection);
  const double elapsed = microseconds_between(begin, Clock::now());
  connection.call("session/close", R"({"sessionId":")" + session + "\"}");
  return elapsed;
}

}  // namespace

void measure_session_start(const Options& options) {
  std::vector<double> times;
  if (!options.agent.empty()) {
    for (std::size_t i = 0; i < options.count + kWarmUpRounds; ++i) {
      times.push_back(start_bare(options.agent));
    }
  } else {
    Connection connection(options.framing, options.port);
    for (std::size_t i = 0; i < options.count + kWarmUpRounds; ++i) {
      times.push_back(start_by_relay(connection));
    }
  }
  times.erase(times.begin(), times.begin() + kWarmUpRounds);
  print_results({{"p50_us", percentile(times, 0.5)}, {"p99_us", percentile(times, 0.99)}});
}

}  // namespace relay::bench
