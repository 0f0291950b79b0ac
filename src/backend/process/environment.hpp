// The environment an agent gets: a short list of the relay's own variables and what was configured.
//
// Pure. Everything else the relay was started with (tokens, sockets, cloud keys) stays with the
// relay.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay {

// Names and values in order; a later entry of the same name replaces an earlier one.
using EnvironmentList = std::vector<std::pair<std::string, std::string>>;

// The variables of `environ`-like `entries` ("NAME=value", ended by null) that agents inherit:
// PATH, HOME, TERM, LANG and LC_*. PATH has a value even when the relay was started without one.
EnvironmentList inherited_environment(const char* const* entries);

// One list out of several, the later ones winning; every name once.
EnvironmentList merge_environments(const EnvironmentList& inherited,
                                   const EnvironmentList& configured,
                                   const EnvironmentList& requested);

// The value of `name`, or an empty string.
std::string_view value_of(const EnvironmentList& environment, std::string_view name);

}  // namespace relay
