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

constexpr double kWarmUpMicroseconds = 200'000;
constexpr int kStallMs = 30'000;

/// A session with its requests built beforehand: the request in slot i has the id i + 1 and is
/// sent again as soon as it is answered.
struct Lane {
  std::unique_ptr<Connection> connection;
  std::vector<std::string> requests;
  std::vector<Clock::time_point> sent;
  std::uint32_t watched = EPOLLIN;
};

Lane open_lane(const Options& options) {
  Lane lane;
  lane.connection = std::make_unique<Connection>(options.framing, options.port);
  const std::string session = open_session(*lane.connection);
  const bool straight = options.framing == Framing::kLines;
  for (std::size_t id = 1; id <= options.depth; ++id) {
    const std::string json =
        options.prompt ? make_prompt(id, session, straight ? "prompt" : "content", options.size)
                       : make_echo(id, session, options.size);
    lane.requests.push_back(
        frame(options.framing, options.prompt ? "session/prompt" : "_bench/echo", json));
  }
  lane.sent.resize(options.depth);
  return lane;
}

class RoundTrips {
 public:
  explicit RoundTrips(const Options& options) : options_(options) {
    for (std::size_t i = 0; i < options.sessions; ++i) lanes_.push_back(open_lane(options));
    for (Lane& lane : lanes_) poller_.add(lane.connection->fd(), EPOLLIN, &lane);
    latencies_.reserve(4'000'000);
  }

  void run() {
    send_all();
    run_for(kWarmUpMicroseconds);
    latencies_.clear();
    answered_ = 0;
    const CpuTime cpu_begin = cpu_time(options_.pid);
    const Clock::time_point begin = Clock::now();
    run_for(options_.seconds * 1e6);
    const double elapsed = microseconds_between(begin, Clock::now());
    const auto answered_in_time = static_cast<double>(answered_);
    sending_ = false;
    while (in_flight_ > 0) step();
    const CpuTime cpu_end = cpu_time_when_idle(options_.pid);

    const auto all = static_cast<double>(answered_);
    const double main_us = (cpu_end.main_thread - cpu_begin.main_thread) / all;
    const double other_us = (cpu_end.other_threads - cpu_begin.other_threads) / all;
    print_results({{"msgs_per_s", answered_in_time / elapsed * 1e6},
                   {"p50_us", percentile(latencies_, 0.5)},
                   {"p99_us", percentile(latencies_, 0.99)},
                   {"cpu_us", main_us + other_us},
                   {"cpu_main_us", main_us},
                   {"cpu_other_us", other_us}});
  }

 private:
  void send_all() {
    const Clock::time_point now = Clock::now();
    for (Lane& lane : lanes_) {
      for (std::size_t slot = 0; slot < options_.depth; ++slot) {
        lane.sent[slot] = now;
        lane.connection->queue(lane.requests[slot]);
        ++in_flight_;
      }
      lane.connection->flush();
      watch(lane);
    }
  }

  void run_for(double us) {
    const Clock::time_point begin = Clock::now();
    do {
      step();
    } while (microseconds_between(begin, now_) < us);
  }

  void step() {
    const auto events = poller_.wait(kStallMs);
    if (events.empty()) fail("no answer for 30 s");
    for (const epoll_event& event : events) {
      Lane& lane = *static_cast<Lane*>(event.data.ptr);
      if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive(lane);
      lane.connection->flush();
      watch(lane);
    }
  }

  void receive(Lane& lane) {
    now_ = Clock::now();  // one reading of the clock for all answers of one read
    lane.connection->receive([&](std::string_view json) {
      const std::uint64_t id = response_id(json);
      if (id == 0) return;
      if (id > lane.requests.size()) fail("answer with a wrong id: " + std::string(json));
      const std::size_t slot = id - 1;
      latencies_.push_back(microseconds_between(lane.sent[slot], now_));
      ++answered_;
      if (sending_) {
        lane.sent[slot] = now_;
        lane.connection->queue(lane.requests[slot]);
      } else {
        --in_flight_;
      }
    });
  }

  void watch(Lane& lane) {
    const std::uint32_t wanted = lane.connection->wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (wanted == lane.watched) return;
    lane.watched = wanted;
    poller_.modify(lane.connection->fd(), wanted, &lane);
  }

  const Options& options_;
  std::vector<Lane> lanes_;
  Poller poller_;
  std::vector<double> latencies_;
  std::uint64_t answered_ = 0;
  std::size_t in_flight_ = 0;
  bool sending_ = true;
  Clock::time_point now_ = Clock::now();
};

}  // namespace

void measure_round_trips(const Options& options) { RoundTrips(options).run(); }

}  // namespace relay::bench
