// Opening directories of a tree that somebody else may change at the same time.
#pragma once

#include <string>

// A directory right below `parent`, never through a symbolic link: a descriptor, or -1 and errno.
// EXDEV: something is mounted there; kernels before 5.6 see that only when it is another file
// system.
int open_below(int parent, const char* name);

// A directory by its path, which leads anywhere but for its last part.
int open_root(std::string path);
