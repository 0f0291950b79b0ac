#include "client/bare_handshake.hpp"
#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "engine_floor/scenarios.hpp"

#include <cstdio>
#include <functional>
#include <memory>
#include <sys/wait.h>

namespace relay::bench {

namespace {

struct Contender {
  std::string name;
  std::function<double()> round;  // microseconds; ends what it started outside of them
  std::vector<double> times;
};

double start_bare(BareSession& session) {
  const Clock::time_point begin = Clock::now();
  session.start();
  const double elapsed = microseconds_between(begin, Clock::now());
  session.terminate();
  session.remove();
  return elapsed;
}

double start_by_relay(Connection& connection) {
  const Clock::time_point begin = Clock::now();
  const std::string session = open_session(connection);
  const double elapsed = microseconds_between(begin, Clock::now());
  connection.call("session/close", R"({"sessionId":")" + session + "\"}");
  return elapsed;
}

double start_by_command(const ContainerOptions& options) {
  const Clock::time_point begin = Clock::now();
  Child child = spawn_child(options.cli, {"run", "-i", "--rm", "--network", "none", "--label",
                                          options.label, options.image});
  shake_hands(child);
  const double elapsed = microseconds_between(begin, Clock::now());
  child.input.reset();
  ::waitpid(child.pid, nullptr, 0);
  return elapsed;
}

}  // namespace

void measure_starts(const ContainerOptions& options) {
  std::vector<Contender> contenders;
  for (const BareContender& bare : options.bare) {
    const auto session = std::make_shared<BareSession>(bare.plan);
    contenders.push_back({bare.name, [session] { return start_bare(*session); }, {}});
  }
  if (options.port != 0) {
    const auto connection = std::make_shared<Connection>(Framing::kWebSocket, options.port);
    contenders.push_back({options.relay, [connection] { return start_by_relay(*connection); }, {}});
  }
  if (!options.cli.empty()) {
    contenders.push_back({"docker run", [&options] { return start_by_command(options); }, {}});
  }
  for (Contender& contender : contenders) contender.round();  // warm-up
  for (std::size_t round = 0; round < options.count; ++round) {
    // Each is once the first, so that none always comes after the same other one.
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      Contender& contender = contenders[(round + i) % contenders.size()];
      contender.times.push_back(contender.round());
    }
  }
  for (Contender& contender : contenders) {
    std::printf("%s\t", contender.name.c_str());
    print_results({{"p50_us", percentile(contender.times, 0.5)},
                   {"p99_us", percentile(contender.times, 0.99)}});
  }
}

}  // namespace relay::bench
