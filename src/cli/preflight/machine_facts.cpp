#include "cli/preflight/machine_facts.hpp"

#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

namespace relay::cli::preflight {
namespace {

namespace fs = std::filesystem;

WallTime written_at(const char* path) {
  struct stat facts {};
  if (::stat(path, &facts) != 0) return {};
  return WallTime(std::chrono::seconds(facts.st_mtim.tv_sec));
}

}  // namespace

bool has_systemd() { return ::access("/run/systemd/system", F_OK) == 0; }

ClockFacts clock_facts() {
  ClockFacts facts{wall_now(), written_at("/proc/self/exe"), std::nullopt, has_systemd()};
  timex clock{};  // modes 0: only reads
  if (::adjtimex(&clock) >= 0) facts.synchronised = (clock.status & STA_UNSYNC) == 0;
  return facts;
}

std::uint64_t most_open_files() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

Memory machine_memory() {
  Memory memory;
  std::ifstream lines("/proc/meminfo");
  std::string name;
  std::uint64_t kilobytes = 0;
  for (std::string unit; lines >> name >> kilobytes && std::getline(lines, unit);) {
    if (name == "MemTotal:") memory.total = kilobytes << 10;
    if (name == "MemAvailable:") memory.available = kilobytes << 10;
  }
  return memory;
}

std::string nearest_existing(const std::string& path) {
  std::error_code failure;
  fs::path here = fs::absolute(path, failure).lexically_normal();
  while (here.has_relative_path() && !fs::exists(here, failure)) here = here.parent_path();
  return here.string();
}

std::optional<DiskFacts> disk_facts(const std::string& path, std::string what, std::string key) {
  DiskFacts facts{nearest_existing(path), std::move(what), std::move(key), 0, std::nullopt};
  struct statvfs room {};
  if (::statvfs(facts.path.c_str(), &room) != 0) return std::nullopt;
  facts.free_bytes = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (room.f_files > 0) facts.free_files = room.f_favail;
  return facts;
}

}  // namespace relay::cli::preflight
