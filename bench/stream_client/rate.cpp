#include "client/measure.hpp"
#include "common/failure.hpp"
#include "stream_client/scenarios.hpp"
#include "stream_client/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kWarmUpShare = 10;  // of the events, the tenth part
constexpr double kMiB = 1 << 20;

void read_events(std::size_t count, Stream& stream, const StreamOptions& options,
                 std::vector<char>& buffer) {
  stream.ask(options, count);
  const std::uint64_t got = stream.read_all(buffer);
  const std::uint64_t expected = std::uint64_t{count} * options.size;
  if (got != expected) {
    fail("an answer of " + std::to_string(got) + " bytes instead of " + std::to_string(expected));
  }
}

}  // namespace

void measure_rate(const StreamOptions& options) {
  std::vector<char> buffer(kBufferBytes);
  Stream stream(options.ways.front());
  read_events(options.count / kWarmUpShare + 1, stream, options, buffer);
  const CpuTime cpu_begin = cpu_time_when_idle(options.pid);
  const Clock::time_point begin = Clock::now();
  read_events(options.count, stream, options, buffer);
  const double elapsed = microseconds_between(begin, Clock::now());
  const CpuTime cpu_end = cpu_time_when_idle(options.pid);
  const double mib = static_cast<double>(options.count * options.size) / kMiB;
  print_results({{"mib_per_s", mib / elapsed * 1e6},
                 {"cpu_us", microseconds_used(cpu_begin, cpu_end) / mib}});
}

}  // namespace relay::bench
