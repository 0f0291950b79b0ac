#include "command.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/limits.h>
#include <unistd.h>

namespace {

// Docker's own.
constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool is_absence(int error) { return error == ENOENT || error == ENOTDIR; }

// Returns only when no directory has it: an errno.
int try_path(char** command) {
  const char* directory = std::getenv("PATH");
  if (directory == nullptr) directory = kUsualPath;
  int result = ENOENT;
  for (bool more = true; more;) {
    const std::size_t length = std::strcspn(directory, ":");
    char path[PATH_MAX];
    const int size = std::snprintf(path, sizeof path, "%.*s%s%s", static_cast<int>(length),
                                   directory, length == 0 ? "" : "/", command[0]);
    if (size < static_cast<int>(sizeof path)) {
      ::execv(path, command);
      if (errno == EACCES) result = EACCES;  // another directory may have one that can be run
      if (errno != EACCES && !is_absence(errno)) return errno;
    }
    more = directory[length] != '\0';
    directory += length + 1;
  }
  return result;
}

}  // namespace

int become_command(char** command) {
  const char* const name = command[0];
  int error = ENOENT;
  if (std::strchr(name, '/') != nullptr) {
    ::execv(name, command);
    error = errno;
    if (error == ENOENT && ::access(name, F_OK) == 0) {
      std::fprintf(stderr,
                   "acp-agent-init: cannot run \"%s\": the interpreter or loader that it asks for "
                   "is not in the image\n",
                   name);
      return kNotFound;
    }
  } else if (*name != '\0') {
    error = try_path(command);
    if (error == ENOENT) {
      std::fprintf(stderr, "acp-agent-init: \"%s\": executable file not found in PATH\n", name);
      return kNotFound;
    }
  }
  std::fprintf(
      stderr, "acp-agent-init: cannot run \"%s\": %s%s\n", name, std::strerror(error),
      error == ENOEXEC ? " (a program for another processor, or a script without #!)" : "");
  return is_absence(error) ? kNotFound : kCannotRun;
}
