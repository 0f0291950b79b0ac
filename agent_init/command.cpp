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

// An errno; ELIBACC when the file is there, and what it asks to be run by is not.
int try_file(const char* path, char** command) {
  ::execv(path, command);
  const int error = errno;
  return error == ENOENT && ::access(path, F_OK) == 0 ? ELIBACC : error;
}

// The same for the directories of PATH.
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
      const int error = try_file(path, command);
      if (error == EACCES) result = EACCES;  // another directory may have one that can be run
      if (error != EACCES && !is_absence(error)) return error;
    }
    more = directory[length] != '\0';
    directory += length + 1;
  }
  return result;
}

}  // namespace

int become_command(char** command) {
  const char* const name = command[0];
  const bool is_path = *name == '\0' || std::strchr(name, '/') != nullptr;
  const int error = is_path ? try_file(name, command) : try_path(command);
  const char* why = std::strerror(error);
  if (!is_path && error == ENOENT) why = "executable file not found in PATH";
  if (error == ELIBACC) why = "the interpreter or loader that it asks for is not in the image";
  if (error == ENOEXEC) why = "it is a program for another processor, or a script without #!";
  std::fprintf(stderr, "acp-agent-init: cannot run \"%s\": %s\n", name, why);
  return is_absence(error) || error == ELIBACC ? kNotFound : kCannotRun;
}
