// Messages of databases that had a row for each: they become entries that lie with their run.
#pragma once

#include "base/result.hpp"

namespace relay::storage {

class Database;

// Fills `runs` from `old_runs` and `messages`, the oldest first, a run at a time.
Result<void> migrate_messages(Database& database);

}  // namespace relay::storage
