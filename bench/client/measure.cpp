#include "client/measure.hpp"

#include "common/failure.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

namespace relay::bench {

namespace {

constexpr std::chrono::milliseconds kIdleStep{50};
constexpr std::chrono::seconds kIdleDeadline{10};
constexpr double kIdleMicroseconds = 500;  // CPU time in one step below which a program is idle

/// The number behind `key` in a file of `Key:  123 kB` lines.
double kibibytes_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    double value = 0;
    if (word == key && file >> value) return value;
  }
  fail("no " + key + " in " + path);
}

double total(const CpuTime& time) { return time.main_thread + time.other_threads; }

}  // namespace

double microseconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::micro>(end - begin).count();
}

CpuTime cpu_time(pid_t pid) {
  CpuTime time;
  if (pid == 0) return time;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    double nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    const bool is_main = task.path().filename() == std::to_string(pid);
    (is_main ? time.main_thread : time.other_threads) += nanoseconds / 1000;
  }
  if (error) fail("the measured program has ended");
  return time;
}

CpuTime cpu_time_when_idle(pid_t pid) {
  const Clock::time_point deadline = Clock::now() + kIdleDeadline;
  CpuTime before = cpu_time(pid);
  while (Clock::now() < deadline) {
    std::this_thread::sleep_for(kIdleStep);
    const CpuTime after = cpu_time(pid);
    if (total(after) - total(before) < kIdleMicroseconds) return after;
    before = after;
  }
  return before;
}

double microseconds_used(const CpuTime& begin, const CpuTime& end) {
  return total(end) - total(begin);
}

Memory memory_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/smaps_rollup";
  return {kibibytes_in(path, "Pss:"), kibibytes_in(path, "Rss:")};
}

double available_memory() { return kibibytes_in("/proc/meminfo", "MemAvailable:"); }

double percentile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

void print_results(const std::vector<std::pair<std::string, double>>& results) {
  const char* separator = "{";
  for (const auto& [name, value] : results) {
    std::printf("%s\"%s\": %.6g", separator, name.c_str(), value);
    separator = ", ";
  }
  std::printf("}\n");
}

}  // namespace relay::bench
