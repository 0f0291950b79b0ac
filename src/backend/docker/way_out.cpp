#include "backend/docker/way_out.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kRelayOnly = 0700;
constexpr mode_t kPassOn = 0711;
constexpr mode_t kProgram = 0755;
constexpr std::string_view kSocket = "/broker.sock";
constexpr std::string_view kInit = "/acp-agent-init";
constexpr std::string_view kNameInside = "@acp-relay";  // a socket of the container alone
// gVisor, Kata Containers.
constexpr std::array<std::string_view, 3> kRuntimesWithKernels = {"runsc", "gvisor", "kata"};

std::string init_inside() { return std::string(kWayOut) + std::string(kInit); }

std::string init_of(const SessionDirectories& directories) {
  return directories.door + std::string(kInit);
}

// Each attempt has its own: one that is given up may go on beside the next.
std::string unfinished_init_of(const SessionDirectories& directories) {
  static std::atomic<unsigned> attempts = 0;
  return init_of(directories) + ".new" + std::to_string(++attempts);
}

Error cannot_make(const std::string& path, int error) {
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "cannot make " + path + ": " + std::generic_category().message(error))
      .suggest("see that container.workspace_base_dir has room and belongs to the relay")
      .with("path", path);
}

int make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return errno;
  return ::chmod(path.c_str(), mode) == 0 ? 0 : errno;  // whatever the umask
}

}  // namespace

std::string way_out_socket(const SessionDirectories& directories) {
  return directories.door + std::string(kSocket);
}

Result<void> make_way_out(const SessionDirectories& directories, const ContainerEgress& egress) {
  if (const int error = make_directory(directories.egress, kRelayOnly); error != 0) {
    return cannot_make(directories.egress, error);
  }
  if (const int error = make_directory(directories.door, kPassOn); error != 0) {
    return cannot_make(directories.door, error);
  }
  const std::string init = init_of(directories);
  const std::string unfinished = unfinished_init_of(directories);
  std::error_code failure;
  fs::copy_file(egress.init_program, unfinished, fs::copy_options::overwrite_existing, failure);
  const bool copied = !failure;
  if (copied && ::chmod(unfinished.c_str(), kProgram) == 0 &&
      ::rename(unfinished.c_str(), init.c_str()) == 0) {
    return Result<void>();
  }
  const int error = errno;
  ::unlink(unfinished.c_str());
  if (has_way_out(directories)) return Result<void>();  // of an earlier relay
  if (copied) return cannot_make(init, error);
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "cannot copy " + egress.init_program + " to " + init + ": " + failure.message())
      .suggest("install acp-agent-init beside acp-relay")
      .with("path", init);
}

bool has_way_out(const SessionDirectories& directories) {
  return ::access(init_of(directories).c_str(), F_OK) == 0;
}

int remove_way_out(const SessionDirectories& directories) {
  std::error_code ignored;  // what is left has rmdir say so
  fs::directory_iterator entry(directories.door, ignored);
  for (; !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    ::unlink(entry->path().c_str());
  }
  ::rmdir(directories.door.c_str());
  return ::rmdir(directories.egress.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

EgressCarrier carrier_for(const ContainerOptions& options, const engine::EngineInfo& info,
                          std::string_view own_kernel, bool by_socket) {
  const std::string& runtime = options.runtime.empty() ? info.default_runtime : options.runtime;
  const auto is_runtime = [&runtime](std::string_view part) {
    return runtime.find(part) != std::string::npos;
  };
  const bool has_own_kernel = std::ranges::any_of(kRuntimesWithKernels, is_runtime);
  const bool is_elsewhere =
      !by_socket || (!info.kernel_version.empty() && info.kernel_version != own_kernel);
  const auto is_selinux = [](const std::string& option) {
    return option.starts_with("name=selinux");
  };
  const bool has_selinux = std::ranges::any_of(info.security_options, is_selinux);
  return has_own_kernel || is_elsewhere || has_selinux ? EgressCarrier::kStdio
                                                       : EgressCarrier::kUnix;
}

std::vector<std::string> init_arguments(const ContainerEgress& egress,
                                        const std::vector<std::string>& program) {
  const bool is_mounted = egress.carrier != EgressCarrier::kStdio;
  std::vector<std::string> arguments{
      init_inside(),
      "--listen",
      "127.0.0.1:" + std::to_string(egress.port),
      "--socket",
      is_mounted ? std::string(kWayOut) + std::string(kSocket) : std::string(kNameInside),
      "--max-connections",
      std::to_string(egress.max_connections),
      "--"};
  arguments.insert(arguments.end(), program.begin(), program.end());
  return arguments;
}

std::vector<std::string> carrier_command(std::size_t max_connections) {
  return {init_inside(), "--carry", std::string(kNameInside), "--max-connections",
          std::to_string(max_connections)};
}

}  // namespace relay
