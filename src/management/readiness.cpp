#include "management/readiness.hpp"

#include <algorithm>

namespace relay::management {

std::vector<std::string> not_ready_because(const ReadinessFacts& facts) {
  std::vector<std::string> reasons;
  if (facts.sessions >= facts.session_limit) reasons.emplace_back("session_limit_reached");
  if (!facts.log_writable) reasons.emplace_back("log_unwritable");
  const bool descriptors_known = facts.open_descriptors >= 0 && facts.descriptor_limit >= 0;
  if (descriptors_known && facts.descriptor_limit - facts.open_descriptors < kSpareDescriptors) {
    reasons.emplace_back("descriptors_low");
  }
  for (const std::string& other : facts.others) {
    if (std::find(reasons.begin(), reasons.end(), other) == reasons.end()) {
      reasons.push_back(other);
    }
  }
  return reasons;
}

std::string_view remedy(std::string_view reason) {
  if (reason == "session_limit_reached") {
    return "close a session, or raise agent.max_concurrent_sessions";
  }
  if (reason == "log_unwritable") {
    return "see log.lastError; when the disk is full, free space where database.path lies (df -h)";
  }
  if (reason == "descriptors_low") {
    return "raise the limit of open files (ulimit -n, LimitNOFILE=), or close sessions";
  }
  if (reason == "workspace_unavailable") {
    return "the disk of container.workspace_base_dir is full or does not answer, or the directory "
           "is gone: look with timeout 5 df -h";
  }
  if (reason == "shutting_down") return "wait until the relay is back";
  return {};
}

}  // namespace relay::management
