#include "common/child.hpp"

#include <array>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

extern char** environ;

namespace relay::bench {

namespace {

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_errno("pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

Child spawn_child(const std::string& command, const std::vector<std::string>& arguments) {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.read_end.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output.write_end.get(), STDOUT_FILENO);
  std::vector<std::string> words{command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  Child child;
  const int error =
      ::posix_spawnp(&child.pid, command.c_str(), &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    errno = error;
    fail_errno("cannot start " + command);
  }
  child.input = std::move(input.write_end);
  child.output = std::move(output.read_end);
  return child;
}

}  // namespace relay::bench
