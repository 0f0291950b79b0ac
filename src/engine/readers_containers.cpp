#include "base/wall_time.hpp"
#include "engine/json_fields.hpp"
#include "engine/readers.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace relay::engine {

namespace json = boost::json;

namespace {

int as_exit_code(std::int64_t number) {
  constexpr std::int64_t kLow = std::numeric_limits<int>::min();
  constexpr std::int64_t kHigh = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(number, kLow, kHigh));
}

// "/name" and "name" are the same container's.
std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

// "No limit" is written as the largest number.
std::optional<std::uint64_t> limit(std::optional<std::uint64_t> number) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62U;
  return number && *number > 0 && *number < kNoLimit ? number : std::nullopt;
}

// What the program can't give back: without the pages of files that were not used lately.
std::optional<std::uint64_t> memory_in_use(const JsonFields& memory) {
  const std::optional<std::uint64_t> usage = memory.count("usage");
  if (!usage) return std::nullopt;
  const JsonFields stats = memory.object("stats");
  const char* const name = stats.find("total_inactive_file") ? "total_inactive_file"  // cgroup v1
                                                             : "inactive_file";
  const std::uint64_t idle = stats.count(name).value_or(0);
  return idle < *usage ? *usage - idle : *usage;
}

void add_to(std::optional<std::uint64_t>& sum, std::optional<std::uint64_t> bytes) {
  if (bytes) sum = sum.value_or(0) + *bytes;
}

void read_networks(const JsonFields& stats, ContainerUsage& out) {
  for (const std::string& name : stats.names("networks")) {
    const JsonFields interface = stats.object("networks").object(name);
    add_to(out.network_received_bytes, interface.count("rx_bytes"));
    add_to(out.network_sent_bytes, interface.count("tx_bytes"));
  }
}

// A list that is empty says that nothing was read or written; control groups v2 have null for it.
void read_disk(const JsonFields& devices, ContainerUsage& out) {
  const json::array* const counters = devices.array("io_service_bytes_recursive");
  if (counters == nullptr) return;
  out.disk_read_bytes = out.disk_written_bytes = 0;
  for (const json::value& counter : *counters) {
    const JsonFields fields(counter);
    const std::string kind = fields.text("op");  // "Read" in control groups v1, "read" in v2
    if (kind == "Read" || kind == "read") add_to(out.disk_read_bytes, fields.count("value"));
    if (kind == "Write" || kind == "write") add_to(out.disk_written_bytes, fields.count("value"));
  }
}

// Zero is no reading: a container that runs has used some.
std::optional<std::chrono::nanoseconds> cpu_time(const JsonFields& cpu) {
  const std::optional<std::int64_t> used = cpu.object("cpu_usage").number("total_usage");
  if (!used || *used <= 0) return std::nullopt;
  return std::chrono::nanoseconds(*used);
}

}  // namespace

Result<std::string> read_created(std::string_view text) {
  constexpr std::string_view kWhat = "POST /containers/create";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  std::string id = JsonFields(*value).text("Id");
  if (id.empty()) return senseless_answer(kWhat, "it has no Id", text);
  return id;
}

Result<ContainerFacts> read_container(std::string_view text) {
  constexpr std::string_view kWhat = "GET /containers/.../json";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  ContainerFacts out;
  out.id = fields.text("Id");
  if (out.id.empty()) return senseless_answer(kWhat, "it has no Id", text);
  const JsonFields state = fields.object("State");
  if (!state) return senseless_answer(kWhat, "it has no State", text);
  out.name = without_slash(fields.text("Name"));
  out.image_id = fields.text("Image");
  const JsonFields config = fields.object("Config");
  out.working_directory = config.text("WorkingDir");
  out.labels = config.pairs("Labels");
  out.log_driver = fields.object("HostConfig").object("LogConfig").text("Type");
  out.state.status = state.text("Status");
  out.state.running = state.flag("Running");
  out.state.oom_killed = state.flag("OOMKilled");
  out.state.exit_code = as_exit_code(state.number("ExitCode").value_or(0));
  out.state.pid = state.number("Pid").value_or(0);
  out.state.error = state.text("Error");
  const std::optional<WallTime> started = read_rfc3339(state.text("StartedAt"));
  // What was never started has the year 1.
  if (started && started->time_since_epoch().count() > 0) out.state.started_at = started;
  return out;
}

Result<std::vector<ContainerSummary>> read_list(std::string_view text) {
  constexpr std::string_view kWhat = "GET /containers/json";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const json::array* const containers = value->if_array();
  if (containers == nullptr) return senseless_answer(kWhat, "it is no list", text);
  std::vector<ContainerSummary> out;
  for (const json::value& container : *containers) {
    const JsonFields fields(container);
    ContainerSummary& summary = out.emplace_back();
    summary.id = fields.text("Id");
    if (summary.id.empty()) return senseless_answer(kWhat, "a container has no Id", text);
    const std::vector<std::string> names = fields.texts("Names");
    if (!names.empty()) summary.name = without_slash(names.front());
    summary.state = fields.text("State");
    summary.labels = fields.pairs("Labels");
  }
  return out;
}

Result<ContainerUsage> read_usage(std::string_view text) {
  constexpr std::string_view kWhat = "GET /containers/.../stats";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  if (!fields) return senseless_answer(kWhat, "it is no object", text);
  ContainerUsage out;
  const JsonFields memory = fields.object("memory_stats");
  out.memory_bytes = memory_in_use(memory);
  out.memory_limit_bytes = limit(memory.count("limit"));
  const JsonFields pids = fields.object("pids_stats");
  out.pids = pids.count("current");
  out.pids_limit = limit(pids.count("limit"));
  const JsonFields cpu = fields.object("cpu_stats");
  out.cpu_time = cpu_time(cpu);
  const JsonFields throttling = cpu.object("throttling_data");
  out.cpu_periods = throttling.count("periods").value_or(0);
  out.cpu_throttled_periods = throttling.count("throttled_periods").value_or(0);
  read_networks(fields, out);
  read_disk(fields.object("blkio_stats"), out);
  return out;
}

Result<int> read_wait(std::string_view text) {
  constexpr std::string_view kWhat = "POST /containers/.../wait";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const std::optional<std::int64_t> code = JsonFields(*value).number("StatusCode");
  if (!code) return senseless_answer(kWhat, "it has no StatusCode", text);
  return as_exit_code(*code);
}

Result<EngineEvent> read_event(std::string_view text) {
  constexpr std::string_view kWhat = "GET /events";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  const JsonFields actor = fields.object("Actor");
  EngineEvent out;
  out.action = fields.text("Action");
  if (out.action.empty()) return senseless_answer(kWhat, "an event has no Action", text);
  // Podman has words of its own for these two in some versions.
  if (out.action == "died") out.action = "die";
  if (out.action == "remove") out.action = "destroy";
  out.container_id = actor.text("ID");
  out.attributes = actor.pairs("Attributes");
  for (const auto& [name, digits] : out.attributes) {
    if (name != "exitCode" && name != "containerExitCode") continue;
    int code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (error == std::errc() && end == digits.data() + digits.size()) out.exit_code = code;
  }
  return out;
}

}  // namespace relay::engine
