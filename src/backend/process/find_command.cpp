#include "backend/process/spawn.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace relay {

namespace {

// 0 when the file can be executed, otherwise the errno that says why not.
int executable_error(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return ::access(file.c_str(), X_OK) == 0 ? 0 : errno;
}

std::string absolute(const std::string& path) {
  std::error_code failure;
  std::filesystem::path whole = std::filesystem::absolute(path, failure);
  return failure ? path : whole.lexically_normal().string();
}

Error not_executable(const std::string& command, const std::string& file) {
  return make_error(
             ErrorType::kAgentStartFailed,
             fmt::format("agent command \"{}\" ({}) is not an executable file", command, file))
      .because("the file lacks the execute permission for the user the relay runs as")
      .suggest(fmt::format("make it executable (chmod +x {}) or set agent.command", file))
      .with("phase", "spawn")
      .with("command", command);
}

Result<std::string> check_path(const std::string& command) {
  std::string file = absolute(command);
  const int failure = executable_error(file);
  if (failure == 0) return file;
  if (failure == ENOENT || failure == ENOTDIR) {
    return make_error(ErrorType::kAgentStartFailed,
                      fmt::format("agent command \"{}\" does not exist; set agent.command", file))
        .suggest("set agent.command to the path of an ACP agent that exists")
        .with("phase", "spawn")
        .with("command", command);
  }
  if (failure == EISDIR) {
    return make_error(ErrorType::kAgentStartFailed,
                      fmt::format("agent command \"{}\" is a directory; set agent.command", file))
        .suggest("set agent.command to the program itself")
        .with("phase", "spawn")
        .with("command", command);
  }
  return not_executable(command, file);
}

}  // namespace

Result<std::string> find_command(const std::string& command, std::string_view path) {
  if (command.empty()) {
    return make_error(ErrorType::kAgentStartFailed, "no agent command is set")
        .suggest("set agent.command")
        .with("phase", "spawn");
  }
  if (command.find('/') != std::string::npos) return check_path(command);

  std::string forbidden;  // found, but not executable
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string directory(path.substr(begin, end - begin));
    begin = end + 1;
    std::string file = absolute((directory.empty() ? "." : directory) + "/" + command);
    const int failure = executable_error(file);
    if (failure == 0) return file;
    if (failure == EACCES && forbidden.empty()) forbidden = file;
  }
  if (!forbidden.empty()) return not_executable(command, forbidden);
  return make_error(
             ErrorType::kAgentStartFailed,
             fmt::format("agent command \"{}\" not found in PATH; set agent.command", command))
      .because("the program is not installed on this machine")
      .because("it is installed in a directory that is not in the relay's PATH")
      .suggest("set agent.command to the full path of the program")
      .suggest("add its directory to PATH in agent.env")
      .with("phase", "spawn")
      .with("command", command)
      .with("path", std::string(path));
}

Result<void> check_working_directory(const std::string& directory) {
  struct stat info {};
  std::string explanation;
  if (!directory.starts_with('/')) {
    explanation = fmt::format("working directory \"{}\" is not an absolute path", directory);
  } else if (::stat(directory.c_str(), &info) != 0) {
    const int failure = errno;
    explanation = failure == ENOENT || failure == ENOTDIR
                      ? fmt::format("working directory \"{}\" does not exist", directory)
                      : fmt::format("working directory \"{}\" cannot be used: {}", directory,
                                    std::strerror(failure));
  } else if (!S_ISDIR(info.st_mode)) {
    explanation = fmt::format("working directory \"{}\" is not a directory", directory);
  } else if (::access(directory.c_str(), R_OK | X_OK) != 0) {
    explanation = fmt::format("the relay may not read working directory \"{}\"", directory);
  } else {
    return {};
  }
  return make_error(ErrorType::kWorkspaceUnavailable, std::move(explanation))
      .suggest("name a directory that exists on the relay's machine and that its user may read")
      .with("phase", "spawn")
      .with("working_directory", directory);
}

}  // namespace relay
