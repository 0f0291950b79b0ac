// The step between the relay and a program that it starts.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

namespace relay {

// Everything is prepared, and lives until start_child() returns: the child may not allocate.
struct ChildPlan {
  const char* file = nullptr;
  char* const* arguments = nullptr;    // ends with a null pointer
  char* const* environment = nullptr;  // as well
  const char* directory = nullptr;
  int input = -1;  // descriptors above 2 that become 0, 1 and 2; no other one is passed on
  int output = -1;
  int errors = -1;
  rlimit open_files{};
};

// Runs a program in a process group of its own, with no signal blocked or ignored, and returns when
// it has been executed. It is killed when the thread that started it ends, and so when the relay is
// killed; what it starts itself is not. 0, or an errno, and then no child is left.
int start_child(const ChildPlan& plan, pid_t& pid);

}  // namespace relay
