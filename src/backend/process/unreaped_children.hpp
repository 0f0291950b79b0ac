// Children that nobody waits for any longer, of which some may never end: not even SIGKILL ends one
// that sleeps in the kernel, before a mount that is dead above all.
//
// Nothing here waits. Until a child is reaped nobody else gets its pid. One executor, no locks.
#pragma once

#include <string_view>
#include <sys/types.h>
#include <vector>

namespace relay {

// Whoever starts children has one, and reaps those that have ended before it starts another.
using UnreapedChildren = std::vector<pid_t>;
void reap_ended(UnreapedChildren& children);

// Reaps `pid` when it has ended, else it is one of `children`.
void leave_unreaped(pid_t pid, UnreapedChildren& children);

// What to do about a process that survives SIGKILL.
inline constexpr std::string_view kRemedyForSurvivor =
    "ps -o pid,user,stat,wchan -p PID: in state D it waits for a disk or a mount, which must "
    "answer or be unmounted (umount -f); of another user, kill it as root";

}  // namespace relay
