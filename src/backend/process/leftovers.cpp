#include "backend/process/leftovers.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace relay {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTermGrace(2'000);
constexpr milliseconds kKillGrace(1'000);
constexpr int kRounds = 3;
// Each takes a descriptor while it is ended; more are for the next round.
constexpr std::size_t kAtATime = 128;
constexpr std::size_t kMaxProcFile = 4u << 20;  // more than an environment can be

std::string read_proc(pid_t pid, const char* name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary);
  std::string text;
  char block[4096];
  while (text.size() < kMaxProcFile && (file.read(block, sizeof block), file.gcount() > 0)) {
    text.append(block, static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

struct ProcessFacts {
  char state = 'X';
  pid_t parent = 0;
  unsigned long long started = 0;
};

// Fields 3, 4 and 22 of /proc/PID/stat; the name before them may hold anything.
ProcessFacts facts_of(pid_t pid) {
  ProcessFacts facts;
  const std::string text = read_proc(pid, "stat");
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return facts;
  std::string_view rest = std::string_view(text).substr(name_end + 1);
  for (int field = 3; field <= 22 && !rest.empty(); ++field) {
    rest.remove_prefix(1);
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (field == 3 && !word.empty()) facts.state = word.front();
    if (field == 4) std::from_chars(word.data(), word.data() + word.size(), facts.parent);
    if (field == 22) std::from_chars(word.data(), word.data() + word.size(), facts.started);
    rest.remove_prefix(word.size());
  }
  return facts;
}

bool is_leftover(pid_t pid, std::string_view instance) {
  const RelayRun run = run_of(read_proc(pid, "environ"), instance);
  return run.pid != 0 && !is_alive(run);
}

std::vector<pid_t> self_and_above() {
  std::vector<pid_t> pids;
  for (pid_t pid = ::getpid(); pid > 0 && pids.size() < 1'000; pid = facts_of(pid).parent) {
    pids.push_back(pid);
  }
  return pids;
}

std::vector<pid_t> all_of_this_user() {
  std::vector<pid_t> pids;
  std::error_code failure;
  std::filesystem::directory_iterator entry("/proc", failure);
  for (const std::filesystem::directory_iterator end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    struct stat owner = {};
    if (error != std::errc() || stop != name.data() + name.size()) continue;
    if (::stat(entry->path().c_str(), &owner) != 0 || owner.st_uid != ::geteuid()) continue;
    pids.push_back(pid);
  }
  return pids;
}

// A pidfd is taken before the last look, so that what is signalled is what was looked at.
std::vector<UniqueFd> find_leftovers(std::string_view instance) {
  const std::vector<pid_t> spared = self_and_above();
  std::vector<UniqueFd> found;
  for (const pid_t pid : all_of_this_user()) {
    if (found.size() == kAtATime) break;
    if (std::ranges::find(spared, pid) != spared.end() || !is_leftover(pid, instance)) continue;
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd && is_leftover(pid, instance)) found.push_back(std::move(pidfd));
  }
  return found;
}

// Signals all; how many have not ended after `grace`. Those that have are taken out.
std::size_t signal_and_wait(std::vector<UniqueFd>& processes, int signal, milliseconds grace) {
  for (const UniqueFd& one : processes) {
    ::syscall(SYS_pidfd_send_signal, one.get(), signal, nullptr, 0);
  }
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (!processes.empty()) {
    std::vector<pollfd> waiting;
    for (const UniqueFd& one : processes) waiting.push_back({one.get(), POLLIN, 0});
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = left.count() <= 0
                          ? 0
                          : ::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()));
    if (ready <= 0) break;
    std::vector<UniqueFd> remaining;
    for (std::size_t i = 0; i < processes.size(); ++i) {
      if (waiting[i].revents == 0) remaining.push_back(std::move(processes[i]));
    }
    processes = std::move(remaining);
  }
  return processes.size();
}

}  // namespace

std::string agent_mark(std::string_view instance) {
  const pid_t self = ::getpid();
  return std::string(instance) + "/" + std::to_string(self) + "/" +
         std::to_string(facts_of(self).started);
}

RelayRun run_of(std::string_view environment, std::string_view instance) {
  const std::string start = std::string(kAgentMark) + "=" + std::string(instance) + "/";
  while (!environment.empty()) {
    const auto end = std::min(environment.find('\0'), environment.size());
    std::string_view entry = environment.substr(0, end);
    environment.remove_prefix(std::min(end + 1, environment.size()));
    if (!entry.starts_with(start)) continue;
    entry.remove_prefix(start.size());
    RelayRun run;
    const char* const last = entry.data() + entry.size();
    const auto pid = std::from_chars(entry.data(), last, run.pid);
    if (pid.ec != std::errc() || pid.ptr == last || *pid.ptr != '/' || run.pid <= 0) return {};
    const auto started = std::from_chars(pid.ptr + 1, last, run.started);
    if (started.ec != std::errc() || started.ptr != last) return {};
    return run;
  }
  return {};
}

bool is_alive(const RelayRun& run) {
  const ProcessFacts facts = facts_of(run.pid);
  return facts.state != 'X' && facts.state != 'Z' && facts.started == run.started;
}

std::size_t end_leftovers(std::string_view instance, const Logger& log) {
  std::size_t ended = 0;
  std::size_t stubborn = 0;
  for (int round = 0; round < kRounds && stubborn == 0; ++round) {
    std::vector<UniqueFd> processes = find_leftovers(instance);
    const std::size_t found = processes.size();
    if (found == 0) break;
    if (signal_and_wait(processes, SIGTERM, kTermGrace) > 0) {
      stubborn = signal_and_wait(processes, SIGKILL, kKillGrace);
    }
    ended += found - stubborn;
  }
  if (ended > 0) {
    log.info("ended processes that agents of an earlier run left behind", {{"count", ended}});
  }
  if (stubborn > 0) {
    log.warn("processes of an earlier run survive SIGKILL", {{"count", stubborn}});
  }
  return ended;
}

}  // namespace relay
