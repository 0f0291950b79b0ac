#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "engine_floor/scenarios.hpp"

#include <cstdio>
#include <optional>

namespace relay::bench {

namespace {

struct Ends {
  std::vector<double> exit;
  std::vector<double> gone;

  void add(Clock::time_point begin, Clock::time_point exited, Clock::time_point removed) {
    exit.push_back(microseconds_between(begin, exited));
    gone.push_back(microseconds_between(begin, removed));
  }

  void print(const std::string& name) {
    std::printf("%s\t", name.c_str());
    print_results({{"exit_us", percentile(exit, 0.5)}, {"gone_us", percentile(gone, 0.5)}});
  }
};

void end_bare(BareSession& session, Ends& ends) {
  session.start();
  const Clock::time_point begin = Clock::now();
  session.terminate();
  const Clock::time_point exited = Clock::now();
  session.remove();
  ends.add(begin, exited, Clock::now());
}

/// The relay does not tell when it learned of the exit, so a wait call of the benchmark's own,
/// posted before, stands for the relay's: the Engine answers both in the same moment.
void end_by_relay(Connection& connection, EngineConnection& observer, Ends& ends) {
  constexpr std::uint64_t kId = 1;
  const std::string session = open_session(connection);
  const std::string framed =
      frame(Framing::kWebSocket, "session/close",
            make_request(kId, "session/close", R"({"sessionId":")" + session + "\"}"));
  observer.send("POST", container_path("acp-agent-" + session, "/wait?condition=next-exit"));
  observer.receive_head(200);
  const Clock::time_point begin = Clock::now();
  connection.queue(framed);
  connection.flush();
  observer.receive_body();
  const Clock::time_point exited = Clock::now();
  connection.answer(kId);
  ends.add(begin, exited, Clock::now());
}

}  // namespace

void measure_ends(const ContainerOptions& options) {
  const BareContender& floor = options.bare.front();
  BareSession bare(floor.plan);
  EngineConnection observer(floor.plan.socket_path);
  std::optional<Connection> connection;
  if (options.port != 0) connection.emplace(Framing::kWebSocket, options.port);
  Ends floor_ends;
  Ends relay_ends;
  for (std::size_t round = 0; round < options.count; ++round) {
    end_bare(bare, floor_ends);
    if (connection) end_by_relay(*connection, observer, relay_ends);
  }
  floor_ends.print(floor.name);
  if (connection) relay_ends.print(options.relay);
}

}  // namespace relay::bench
