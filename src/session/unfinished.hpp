// Sessions in the log of which only a part is there, by their cause.
#pragma once

#include "base/error.hpp"
#include "storage/records.hpp"

#include <optional>
#include <string_view>

namespace relay {

// Of a fork: a relay that was killed in between, or could not erase what failed, leaves it open,
// and the next run erases it.
inline constexpr std::string_view kUnfinishedFork = "fork_unfinished";

// Of an import: a relay that was killed in between leaves it closed, until it is imported again.
inline constexpr std::string_view kUnfinishedImport = "import_unfinished";

// Why no agent goes on with the session, or with a fork of it: its import, or its own fork, was cut
// off.
std::optional<Error> refuse_unfinished(const storage::SessionRecord& session);

// Nobody else opens, erases or imports a session meanwhile.
Error being_imported(const SessionId& session);

}  // namespace relay
