#include "session/agent_profiles.hpp"

#include <utility>

namespace relay {
namespace {

const std::string* value_of(const std::map<std::string, std::string>& profiles,
                            const std::string& agent) {
  const auto found = profiles.find(agent);
  return found != profiles.end() ? &found->second : nullptr;
}

}  // namespace

const std::string* AgentProfiles::of(const std::string& agent) const {
  return value_of(now_, agent);
}

const std::string* AgentProfiles::before(const std::string& agent) const {
  return value_of(before_, agent);
}

unsigned AgentProfiles::program(const std::string& agent) const {
  const auto found = programs_.find(agent);
  return found != programs_.end() ? found->second : 0;
}

void AgentProfiles::learn(const std::string& agent, unsigned program, std::string profile) {
  if (program == this->program(agent)) now_[agent] = std::move(profile);
}

void AgentProfiles::learn_of_before(const std::string& agent, std::string profile) {
  before_[agent] = std::move(profile);
}

void AgentProfiles::forget(const std::string& agent) {
  now_.erase(agent);
  before_.erase(agent);
  ++programs_[agent];
}

}  // namespace relay
