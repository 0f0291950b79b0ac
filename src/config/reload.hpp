// What a configuration that is read again changes in a running relay. Pure.
#pragma once

#include "config/config.hpp"
#include "config/validate.hpp"

#include <vector>

namespace relay::config {

struct Reload {
  // What is in force from here on: the running configuration with those keys of the one that was
  // read that need no restart (Key::reload).
  Config config;
  Strings changed;  // keys whose value is another one now
  // Keys that differ and stay as they were; agents.NAME for one that comes, or goes.
  Strings need_restart;
  // What is wrong with `config`, though both it is made of are right: a bound that may be changed
  // beside one that stays.
  std::vector<Finding> problems;
};

Reload plan_reload(const Config& running, const Config& loaded);

// "changed: a, b; needs a restart: c", or that nothing has changed.
std::string describe(const Reload& reload);

}  // namespace relay::config
