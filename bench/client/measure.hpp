// What is measured: time, CPU time and memory of another program, and how results are printed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace relay::bench {

using Clock = std::chrono::steady_clock;

double microseconds_between(Clock::time_point begin, Clock::time_point end);

/// CPU time in microseconds since the program started, from /proc/PID/task/*/schedstat.
struct CpuTime {
  double main_thread = 0;
  double other_threads = 0;
};
CpuTime cpu_time(pid_t pid);

/// Waits (at most 10 s) until the program has stopped working, so that what it does after its
/// answers, such as writing its log, is counted too.
CpuTime cpu_time_when_idle(pid_t pid);

/// Of all threads.
double microseconds_used(const CpuTime& begin, const CpuTime& end);

/// Sizes in KiB, of the program alone; PSS counts a page shared by n programs as 1/n.
struct Memory {
  double pss = 0;
  double rss = 0;
};
Memory memory_of(pid_t pid);
/// MemAvailable of the machine in KiB.
double available_memory();

/// The value below which the share `q` (0..1) of the values lies. Reorders them. 0 without values.
double percentile(std::vector<double>& values, double q);

/// One line of JSON on stdout: {"name": number, ...}.
void print_results(const std::vector<std::pair<std::string, double>>& results);

}  // namespace relay::bench
