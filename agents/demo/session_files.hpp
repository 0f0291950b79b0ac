// Conversations on disk: with --state, another process of the agent goes on with them or forks
// them.
//
// One JSON file a session, written as a whole.
#pragma once

#include "session.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace demo {

// What could not be written is not remembered: the agent goes on.
void save_session(const std::string& directory, const Session& session);

// Empty: the id is none of the agent's, or there is no such file, or it is damaged.
std::optional<Session> load_session(const std::string& directory, std::string_view id);

void remove_session(const std::string& directory, std::string_view id);

}  // namespace demo
