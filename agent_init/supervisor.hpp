// The duties of a container's first process: one child that matters, all orphans, all signals.
#pragma once

#include <optional>

class Supervisor {
 public:
  // From here on signals wait for attend(), and orphans of this process's descendants are its own.
  // Says what fails on stderr and ends the process; called once, at the start.
  Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Runs the command as a child, in a process group of its own and with nothing but the standard
  // streams, which this process then has no more: the command's end of them is the last. False,
  // with errno, when there is no child.
  bool start(char** command);

  // Readable when attend() has something to do.
  int descriptor() const { return signals_; }

  // Passes signals on to the command's process group, because the command may be a launcher that
  // waits for the agent and tells it nothing, and reaps. The command's exit code when it has ended,
  // 128 and the signal when one has killed it.
  std::optional<int> attend();

 private:
  void pass_on(int signal) const;
  std::optional<int> reap();

  int null_ = -1;
  int signals_ = -1;
  int child_ = -1;
};
