// Opening directories of a tree that somebody else may change at the same time.
#pragma once

#include <string>

// A directory right below `parent`, never through a symbolic link: a descriptor, or -1 and errno.
// EXDEV: something is mounted there; where there is no openat2 (kernels before 5.6, old seccomp
// profiles), that is seen only by its device, and a subvolume of btrfs is taken for it.
int open_below(int parent, const char* name);

// A directory by its path, which leads anywhere but for its last part.
int open_root(std::string path);
