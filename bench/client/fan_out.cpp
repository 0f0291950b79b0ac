#include "client/connection.hpp"
#include "client/measure.hpp"
#include "client/messages.hpp"
#include "client/scenarios.hpp"
#include "common/poller.hpp"

#include <memory>
#include <string>
#include <vector>

namespace relay::bench {

namespace {

constexpr int kStallMs = 30'000;
constexpr std::uint64_t kStreamId = 1;

struct Watcher {
  std::unique_ptr<Connection> connection;
  std::size_t received = 0;
};

/// The first client makes the session, the others join it.
std::vector<Watcher> open_watchers(const Options& options, std::string& session_id) {
  std::vector<Watcher> watchers(options.clients);
  for (std::size_t i = 0; i < watchers.size(); ++i) {
    watchers[i].connection = std::make_unique<Connection>(options.framing, options.port);
    Connection& connection = *watchers[i].connection;
    if (i == 0) {
      session_id = open_session(connection);
    } else if (options.framing == Framing::kLines) {
      // Answers go to everyone here; this one shows that the forwarder knows the connection.
      connection.call("_bench/echo", "{}");
    } else {
      connection.call("session/resume", R"({"sessionId":")" + session_id + "\"}");
    }
  }
  return watchers;
}

std::string progress(const std::vector<Watcher>& watchers, std::size_t count) {
  std::size_t complete = 0;
  for (const Watcher& watcher : watchers) complete += watcher.received >= count ? 1U : 0U;
  return std::to_string(complete) + " of " + std::to_string(watchers.size()) +
         " clients have all " + std::to_string(count) + " updates, the first has " +
         std::to_string(watchers.front().received);
}

}  // namespace

void measure_fan_out(const Options& options) {
  std::string session_id;
  std::vector<Watcher> watchers = open_watchers(options, session_id);
  Poller poller;
  for (Watcher& watcher : watchers) poller.add(watcher.connection->fd(), EPOLLIN, &watcher);

  const std::string params = R"({"sessionId":")" + session_id +
                             "\",\"count\":" + std::to_string(options.count) +
                             ",\"size\":" + std::to_string(options.size) +
                             ",\"paced\":" + (options.paced ? "1" : "0") + "}";
  const std::string request =
      frame(options.framing, "_bench/stream", make_request(kStreamId, "_bench/stream", params));
  const CpuTime cpu_begin = cpu_time_when_idle(options.pid);
  const Clock::time_point begin = Clock::now();
  watchers.front().connection->queue(request);
  watchers.front().connection->flush();

  std::size_t complete = 0;
  while (complete < watchers.size()) {
    const auto events = poller.wait(kStallMs);
    if (events.empty()) fail("nothing came for 30 s: " + progress(watchers, options.count));
    for (const epoll_event& event : events) {
      Watcher& watcher = *static_cast<Watcher*>(event.data.ptr);
      watcher.connection->receive([&](std::string_view json) {
        if (is_update(json) && ++watcher.received == options.count) ++complete;
      });
    }
  }
  const double elapsed = microseconds_between(begin, Clock::now());
  const CpuTime cpu_end = cpu_time_when_idle(options.pid);

  for (const Watcher& watcher : watchers) {
    if (watcher.received != options.count) fail("too many updates: a client got one twice");
  }
  const auto deliveries = static_cast<double>(watchers.size() * options.count);
  const double main_us = (cpu_end.main_thread - cpu_begin.main_thread) / deliveries;
  const double other_us = (cpu_end.other_threads - cpu_begin.other_threads) / deliveries;
  print_results({{"deliveries_per_s", deliveries / elapsed * 1e6},
                 {"cpu_us", main_us + other_us},
                 {"cpu_main_us", main_us},
                 {"cpu_other_us", other_us},
                 {"rss_kib", memory_of(options.pid).rss}});
}

}  // namespace relay::bench
