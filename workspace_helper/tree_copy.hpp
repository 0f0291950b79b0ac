// Copying a tree, whatever its owner does to it meanwhile.
#pragma once

#include <cstdint>

// What copies may still take of the disk, in bytes; each entry counts as a block beside its data,
// which is what a file has of the disk, or what is copied of it where that is more.
struct CopyBudget {
  std::uint64_t left = 0;
};

// What is in the directory `from`, into the directory `to`: files (shared with the original where
// the file system can, holes stay holes), directories, symbolic links as they are, and FIFOs, each
// with its owner, its times, and its mode without set-user-id and set-group-id. Hard links become
// files of their own; sockets and devices, extended attributes and ACLs are left out. What is in
// `to` already stays, and directories on both sides are merged. What disappears while it is copied
// is not there.
//
// Follows no symbolic link on either side and stays on the file system of `from`. 0, or an errno:
// EFBIG when the budget is spent, ELOOP when the tree is deeper than 200 directories.
int copy_tree(const char* from, const char* to, CopyBudget& budget);
