#include "backend/process/unreaped_children.hpp"

#include <sys/wait.h>

namespace relay {

void reap_ended(UnreapedChildren& children) {
  std::erase_if(children, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

void leave_unreaped(pid_t pid, UnreapedChildren& children) {
  children.push_back(pid);
  reap_ended(children);
}

}  // namespace relay
