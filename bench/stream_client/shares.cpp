#include "client/measure.hpp"
#include "common/failure.hpp"
#include "common/poller.hpp"
#include "stream_client/scenarios.hpp"
#include "stream_client/stream.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
// Fixed, so that what a stream has in the kernel is little beside what it gets.
constexpr int kReceiveBytes = 256 * 1024;
constexpr double kWarmUpMicroseconds = 1'000'000;
constexpr std::size_t kEndless = 1'000'000'000'000;
constexpr int kStallMs = 30'000;
constexpr double kMiB = 1 << 20;

class Shares {
 public:
  explicit Shares(const StreamOptions& options) : options_(options), buffer_(kBufferBytes) {
    for (const Way& way : options.ways) {
      streams_.push_back(std::make_unique<Stream>(way, kReceiveBytes));
    }
    for (const auto& stream : streams_) {
      stream->ask(options, kEndless);
      poller_.add(stream->fd(), EPOLLIN, stream.get());
    }
  }

  void run() {
    read_for(kWarmUpMicroseconds);
    const std::vector<double> before = payloads();
    const CpuTime cpu_begin = cpu_time(options_.pid);
    const double elapsed = read_for(options_.seconds * 1e6);
    const CpuTime cpu_end = cpu_time(options_.pid);
    std::vector<double> shares = payloads();
    double mib = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i] -= before[i];
      mib += shares[i];
    }
    const auto [least, most] = std::ranges::minmax(shares);
    print_results({{"least_mib", least},
                   {"most_mib", most},
                   {"spread", 1 - least / most},
                   {"mib_per_s", mib / elapsed * 1e6},
                   {"cpu_us", microseconds_used(cpu_begin, cpu_end) / mib}});
  }

 private:
  double read_for(double us) {
    const Clock::time_point begin = Clock::now();
    double elapsed = 0;
    while (elapsed < us) {
      const auto events = poller_.wait(kStallMs);
      if (events.empty()) fail("nothing came for 30 s");
      for (const epoll_event& event : events) {
        static_cast<Stream*>(event.data.ptr)->read_some(buffer_);
      }
      elapsed = microseconds_between(begin, Clock::now());
    }
    return elapsed;
  }

  [[nodiscard]] std::vector<double> payloads() const {
    std::vector<double> mib;
    for (const auto& stream : streams_) {
      mib.push_back(static_cast<double>(stream->payload()) / kMiB);
    }
    return mib;
  }

  const StreamOptions& options_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<Stream>> streams_;
  Poller poller_;
};

}  // namespace

void measure_shares(const StreamOptions& options) { Shares(options).run(); }

}  // namespace relay::bench
