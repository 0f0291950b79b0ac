#include "backend/process/process_usage.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace relay {
namespace {

// Of proc(5), counted from 1.
constexpr int kStateField = 3;
constexpr int kFirstTimeField = 14;  // utime, stime, cutime, cstime
constexpr int kLastTimeField = 17;
constexpr int kResidentField = 24;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

// What the threads of a process have started and not yet lost; `bounds` has what is left of them.
void add_children(const std::filesystem::path& process, UsageBounds& bounds,
                  std::vector<pid_t>& found) {
  std::error_code failure;
  std::size_t left = (bounds.threads + 1) / 2;
  bounds.threads -= left;
  std::filesystem::directory_iterator thread(process / "task", failure);
  for (const std::filesystem::directory_iterator end;
       !failure && thread != end && left > 0 && bounds.processes > 0; thread.increment(failure)) {
    --left;
    std::ifstream children(thread->path() / "children");  // read no further than is looked at
    for (pid_t child = 0; bounds.processes > 0 && children >> child; --bounds.processes) {
      found.push_back(child);
    }
  }
  bounds.threads += left;
}

std::string_view word_for(char state) {
  if (state == 'T' || state == 't') return "stopped";
  return state == 'Z' || state == 'X' ? "exited" : "running";
}

}  // namespace

std::optional<ProcessStat> read_process_stat(std::string_view text, KernelUnits units) {
  const auto name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string_view::npos || units.ticks_per_second <= 0) return std::nullopt;
  std::string_view rest = text.substr(name_end + 1);
  ProcessStat out;
  std::int64_t ticks = 0;
  for (int field = kStateField; field <= kResidentField; ++field) {
    if (rest.empty() || rest.front() != ' ') return std::nullopt;
    rest.remove_prefix(1);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    if (field == kStateField) {
      if (word.size() != 1) return std::nullopt;
      out.state = word.front();
      continue;
    }
    const bool is_time = field >= kFirstTimeField && field <= kLastTimeField;
    if (!is_time && field != kResidentField) continue;
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (failure != std::errc() || end != word.data() + word.size() || number < 0) {
      return std::nullopt;
    }
    if (is_time) {
      ticks += number;
    } else {
      out.resident_bytes = static_cast<std::uint64_t>(number) * units.page_bytes;
    }
  }
  out.cpu_time = std::chrono::nanoseconds(1'000'000'000 / units.ticks_per_second) * ticks;
  return out;
}

std::optional<AgentUsage> usage_of_processes(pid_t pid, UsageBounds bounds) {
  const KernelUnits units{::sysconf(_SC_CLK_TCK),
                          static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
  AgentUsage out;
  std::uint64_t processes = 0;
  std::uint64_t memory = 0;
  std::chrono::nanoseconds cpu_time{0};
  std::vector<pid_t> found{pid};
  --bounds.processes;
  for (std::size_t next = 0; next < found.size(); ++next) {
    const std::filesystem::path process = "/proc/" + std::to_string(found[next]);
    const auto stat = read_process_stat(text_of(process / "stat"), units);
    if (!stat && next == 0) return std::nullopt;
    if (!stat) continue;  // it has ended meanwhile
    if (next == 0) out.state = word_for(stat->state);
    ++processes;
    memory += stat->resident_bytes;
    cpu_time += stat->cpu_time;
    add_children(process, bounds, found);
  }
  out.processes = processes;
  out.memory_bytes = memory;
  out.cpu_time = cpu_time;
  return out;
}

}  // namespace relay
