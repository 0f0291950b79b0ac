#include "client/measure.hpp"
#include "stream_client/scenarios.hpp"
#include "stream_client/stream.hpp"

#include <cstddef>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr double kWarmUpMicroseconds = 200'000;

struct Latencies {
  std::vector<double> first;
  std::vector<double> whole;
};

Latencies ask_for(double us, Stream& stream, const StreamOptions& options) {
  std::vector<char> buffer(kBufferBytes);
  Latencies latencies;
  const Clock::time_point begin = Clock::now();
  Clock::time_point now = begin;
  while (microseconds_between(begin, now) < us) {
    const Clock::time_point asked = Clock::now();
    stream.ask(options, 1);
    stream.read_some(buffer);
    const Clock::time_point first = Clock::now();
    stream.read_all(buffer);
    now = Clock::now();
    latencies.first.push_back(microseconds_between(asked, first));
    latencies.whole.push_back(microseconds_between(asked, now));
  }
  return latencies;
}

}  // namespace

void measure_first_byte(const StreamOptions& options) {
  Stream stream(options.ways.front());
  ask_for(kWarmUpMicroseconds, stream, options);
  const CpuTime cpu_begin = cpu_time_when_idle(options.pid);
  const Clock::time_point begin = Clock::now();
  Latencies latencies = ask_for(options.seconds * 1e6, stream, options);
  const double elapsed = microseconds_between(begin, Clock::now());
  const CpuTime cpu_end = cpu_time_when_idle(options.pid);
  const auto requests = static_cast<double>(latencies.first.size());
  print_results({{"first_us", percentile(latencies.first, 0.5)},
                 {"first_p99_us", percentile(latencies.first, 0.99)},
                 {"whole_us", percentile(latencies.whole, 0.5)},
                 {"requests_per_s", requests / elapsed * 1e6},
                 {"cpu_us", microseconds_used(cpu_begin, cpu_end) / requests}});
}

}  // namespace relay::bench
