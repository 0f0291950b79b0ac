// How many files may be open at a time (RLIMIT_NOFILE): many for the relay, and what it was started
// with for the programs that it starts.
#pragma once

#include <sys/resource.h>

namespace relay {

// Raises this process's soft limit to the hard one: every session and every client takes
// descriptors, and the soft limit is often 1024. Before there are other threads.
void raise_open_files();

// The limit as it was before that; as it is now when it was not raised.
rlimit open_files_at_start();

}  // namespace relay
