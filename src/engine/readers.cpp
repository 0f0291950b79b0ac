#include "engine/readers.hpp"

#include "engine/json_fields.hpp"
#include "engine/texts.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace relay::engine {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxMessage = 2000;

std::optional<ApiVersion> api_version(std::string_view text) {
  ApiVersion out;
  const char* const end = text.data() + text.size();
  const auto [dot, major_error] = std::from_chars(text.data(), end, out.major);
  if (major_error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const auto [rest, minor_error] = std::from_chars(dot + 1, end, out.minor);
  if (minor_error != std::errc() || rest != end) return std::nullopt;
  if (out.major < 0 || out.minor < 0) return std::nullopt;
  return out;
}

bool is_podman(const JsonFields& fields) {
  const json::array* components = fields.array("Components");
  if (components == nullptr) return false;
  return std::ranges::any_of(*components, [](const json::value& component) {
    return JsonFields(component).text("Name").starts_with("Podman");
  });
}

// Cut between two characters of UTF-8, without the blanks at its ends.
std::string shortened(std::string text) {
  if (text.size() > kMaxMessage) {
    std::size_t end = kMaxMessage;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
    text.resize(end);
    text += "...";
  }
  const std::size_t last = text.find_last_not_of(" \r\n\t");
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

}  // namespace

Result<EngineVersion> read_version(std::string_view text) {
  constexpr std::string_view kWhat = "GET /version";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  const std::optional<ApiVersion> api = api_version(fields.text("ApiVersion"));
  if (!api) return senseless_answer(kWhat, "it has no ApiVersion like \"1.41\"", text);
  EngineVersion out;
  out.version = fields.text("Version");
  out.api = *api;
  out.min_api = api_version(fields.text("MinAPIVersion")).value_or(ApiVersion{});
  out.os = fields.text("Os");
  out.architecture = fields.text("Arch");
  out.kernel = fields.text("KernelVersion");
  out.podman = is_podman(fields);
  return out;
}

Result<EngineInfo> read_info(std::string_view text) {
  constexpr std::string_view kWhat = "GET /info";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  if (!fields) return senseless_answer(kWhat, "it is no object", text);
  EngineInfo out;
  out.id = fields.text("ID");
  out.name = fields.text("Name");
  out.storage_driver = fields.text("Driver");
  out.cgroup_version = fields.text("CgroupVersion");
  out.cgroup_driver = fields.text("CgroupDriver");
  out.docker_root_dir = fields.text("DockerRootDir");
  out.operating_system = fields.text("OperatingSystem");
  out.kernel_version = fields.text("KernelVersion");
  out.default_runtime = fields.text("DefaultRuntime");
  out.runtimes = fields.names("Runtimes");
  out.security_options = fields.texts("SecurityOptions");
  out.warnings = fields.texts("Warnings");
  out.memory_limit = fields.flag("MemoryLimit");
  out.swap_limit = fields.flag("SwapLimit");
  // The Engine 20.10 writes CpuCfsQuota, later ones CPUCfsQuota.
  out.cpu_cfs_quota = fields.flag("CpuCfsQuota") || fields.flag("CPUCfsQuota");
  out.pids_limit = fields.flag("PidsLimit");
  out.total_memory = fields.number("MemTotal").value_or(0);
  out.cpus = fields.number("NCPU").value_or(0);
  return out;
}

Result<ImageFacts> read_image(std::string_view text) {
  constexpr std::string_view kWhat = "GET /images/.../json";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  ImageFacts out;
  out.id = fields.text("Id");
  if (out.id.empty()) return senseless_answer(kWhat, "it has no Id", text);
  out.repo_digests = fields.texts("RepoDigests");
  out.size = fields.number("Size").value_or(0);
  const JsonFields config = fields.object("Config");
  out.user = config.text("User");
  out.working_directory = config.text("WorkingDir");
  out.environment = config.texts("Env");
  out.entrypoint = config.texts("Entrypoint");
  out.command = config.texts("Cmd");
  return out;
}

Result<PullLine> read_pull_line(std::string_view text) {
  constexpr std::string_view kWhat = "POST /images/create";
  const Result<json::value> value = parse_answer(text, kWhat);
  if (!value) return value.error();
  const JsonFields fields(*value);
  if (!fields) return senseless_answer(kWhat, "a line is no object", text);
  PullLine out;
  out.status = fields.text("status");
  out.layer = fields.text("id");
  const JsonFields progress = fields.object("progressDetail");
  out.current = std::max<std::int64_t>(progress.number("current").value_or(0), 0);
  out.total = std::max<std::int64_t>(progress.number("total").value_or(0), 0);
  out.error = shortened(fields.object("errorDetail").text("message"));
  if (out.error.empty()) out.error = shortened(fields.text("error"));
  // Any form of `error` is one: a pull that failed must not look like one that went well.
  if (out.error.empty() && fields.find("error") != nullptr && !fields.find("error")->is_null()) {
    out.error = "the Engine gave no reason";
  }
  return out;
}

std::string refusal(std::string_view body) {
  json::error_code failure;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), failure);
  std::string message = failure ? std::string() : JsonFields(value).text("message");
  return message.empty() ? printable(body, 500) : shortened(std::move(message));
}

}  // namespace relay::engine
