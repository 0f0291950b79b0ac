#include "metrics/process_facts.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace relay::metrics {
namespace {

std::string text_of(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return found;
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ProcessFacts> read_process_facts(std::string_view own_stat, std::string_view stat,
                                               std::int64_t ticks_per_second,
                                               std::int64_t page_bytes) {
  // Fields of proc(5), counted from the state, which is behind the name in parentheses.
  constexpr std::size_t kStartTicks = 19;
  constexpr std::size_t kResidentPages = 21;
  constexpr std::string_view kBoot = "btime ";
  const std::size_t name_end = own_stat.rfind(')');
  const std::size_t boot_at = stat.find(kBoot);
  if (name_end == std::string_view::npos || boot_at == std::string_view::npos) return std::nullopt;
  const auto fields = words(own_stat.substr(name_end + 1));
  const auto boot_fields = words(stat.substr(boot_at + kBoot.size()));
  if (fields.size() <= kResidentPages || boot_fields.empty()) return std::nullopt;
  const auto start = number(fields[kStartTicks]);
  const auto resident = number(fields[kResidentPages]);
  const auto boot = number(boot_fields[0]);
  if (!start || !resident || !boot) return std::nullopt;
  const auto ticks = static_cast<double>(ticks_per_second);
  return ProcessFacts{*resident * page_bytes,
                      static_cast<double>(*boot) + static_cast<double>(*start) / ticks};
}

std::optional<ProcessFacts> process_facts() {
  return read_process_facts(text_of("/proc/self/stat"), text_of("/proc/stat"),
                            ::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE));
}

std::optional<double> cpu_seconds() {
  constexpr double kNanosecond = 1e-9;
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return std::nullopt;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * kNanosecond;
}

std::int64_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

std::int64_t count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error == std::errc::too_many_files_open ||
      error == std::errc::too_many_files_open_in_system) {
    return descriptor_limit();
  }
  if (error) return -1;
  std::int64_t count = 0;
  for (auto entry = begin(entries); entry != end(entries) && !error; entry.increment(error)) {
    ++count;
  }
  if (error) return -1;
  return count - 1;  // the directory itself was open while counting
}

}  // namespace relay::metrics
