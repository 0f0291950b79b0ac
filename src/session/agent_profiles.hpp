// How each configured agent introduced itself: its answer to `initialize`, as JSON text. Pure.
//
// Another program may come to stand behind an agent's name; what was learned of the one before, or
// is still being learned of it, counts no more.
#pragma once

#include <map>
#include <string>

namespace relay {

class AgentProfiles {
 public:
  // Of the program that stands behind the name now. Null: not known. Valid until something is
  // learned or forgotten.
  const std::string* of(const std::string& agent) const;
  // Of the one that did when the relay ran last: perhaps another, so it counts only where the one
  // of now can't be asked.
  const std::string* before(const std::string& agent) const;

  // A number of the program of now: taken before what is learned from is started.
  unsigned program(const std::string& agent) const;
  void learn(const std::string& agent, unsigned program, std::string profile);
  void learn_of_before(const std::string& agent, std::string profile);

  // Another program stands behind the name from here on.
  void forget(const std::string& agent);

 private:
  std::map<std::string, std::string> now_;
  std::map<std::string, std::string> before_;
  std::map<std::string, unsigned> programs_;  // how many there were before this one
};

}  // namespace relay
