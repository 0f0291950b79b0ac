#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "engine_floor/scenarios.hpp"

#include <cstdio>
#include <optional>

namespace relay::bench {

namespace {

constexpr std::size_t kMessagesATurn = 100;

template <typename Exchange>
void take_turn(std::size_t count, std::vector<double>& times, Exchange&& exchange) {
  for (std::size_t i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    exchange();
    times.push_back(microseconds_between(begin, Clock::now()));
  }
}

void print(const std::string& name, std::vector<double>& times) {
  std::printf("%s\t", name.c_str());
  print_results({{"p50_us", percentile(times, 0.5)}, {"p99_us", percentile(times, 0.99)}});
}

}  // namespace

void measure_container_round_trips(const ContainerOptions& options) {
  const BareContender& floor = options.bare.front();
  BareSession bare(floor.plan);
  bare.start();
  const std::string line = make_echo(1, bare.agent_session(), options.size) + "\n";
  const auto by_attach = [&] { bare.echo(line); };

  std::optional<Connection> connection;
  std::string session;
  std::string framed;
  if (options.port != 0) {
    connection.emplace(Framing::kWebSocket, options.port);
    session = open_session(*connection);
    framed = frame(Framing::kWebSocket, "_bench/echo", make_echo(1, session, options.size));
  }
  const auto by_relay = [&] {
    connection->queue(framed);
    connection->flush();
    connection->answer(1);
  };

  std::vector<double> floor_times;
  std::vector<double> relay_times;
  for (std::size_t done = 0; done < options.count + kMessagesATurn; done += kMessagesATurn) {
    if (done == kMessagesATurn) {  // the first turn was the warm-up
      floor_times.clear();
      relay_times.clear();
    }
    take_turn(kMessagesATurn, floor_times, by_attach);
    if (connection) take_turn(kMessagesATurn, relay_times, by_relay);
  }
  print(floor.name, floor_times);
  if (connection) {
    print(options.relay, relay_times);
    connection->call("session/close", R"({"sessionId":")" + session + "\"}");
  }
  bare.terminate();
  bare.remove();
}

}  // namespace relay::bench
