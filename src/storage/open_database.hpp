// A connection to the log's database, migrated and set up.
#pragma once

#include "storage/database.hpp"
#include "storage/message_log.hpp"

#include <string>

namespace relay::storage {

// The file exists, or the path is ":memory:". Errors name the path and a remedy.
Result<Database> open_database(const std::string& path, Durability durability);

// Adds the path, and a remedy where there is none.
Error explained(Error error, const std::string& path);

}  // namespace relay::storage
