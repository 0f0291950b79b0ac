#include "backend/docker/way_out.hpp"

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

std::string init_of(const SessionDirectories& directories) {
  return directories.door + std::string(kInit);
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
  ::unlink(init.c_str());  // of an earlier relay
  std::error_code failure;
  fs::copy_file(egress.init_program, init, failure);
  if (failure) {
    return make_error(
               ErrorType::kWorkspaceUnavailable,
               "cannot copy " + egress.init_program + " to " + init + ": " + failure.message())
        .suggest("install acp-agent-init beside acp-relay")
        .with("path", init);
  }
  if (::chmod(init.c_str(), kProgram) != 0) return cannot_make(init, errno);
  return Result<void>();
}

bool has_way_out(const SessionDirectories& directories) {
  return ::access(init_of(directories).c_str(), F_OK) == 0;
}

int remove_way_out(const SessionDirectories& directories) {
  ::unlink(way_out_socket(directories).c_str());
  ::unlink(init_of(directories).c_str());
  ::rmdir(directories.door.c_str());
  return ::rmdir(directories.egress.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

std::vector<std::string> init_arguments(const ContainerEgress& egress,
                                        const std::vector<std::string>& program) {
  std::vector<std::string> arguments{
      std::string(kWayOut) + std::string(kInit),   "--listen",
      "127.0.0.1:" + std::to_string(egress.port),  "--socket",
      std::string(kWayOut) + std::string(kSocket), "--max-connections",
      std::to_string(egress.max_connections),      "--"};
  arguments.insert(arguments.end(), program.begin(), program.end());
  return arguments;
}

}  // namespace relay
