// What is looked at and held around the database's file before SQLite opens it.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace relay::storage {

// Refuses, without writing anything: a missing directory, a path that is no regular file, a file
// that is no database of ours or of a later version. A missing or empty file is fine.
Result<void> check_database_file(const std::string& path);

// Held as long as the database is used: `<path>.lock`, with the pid of its holder in it.
Result<UniqueFd> lock_database(const std::string& path);

// Whether all of this would succeed; makes and changes nothing.
Result<void> check_usable(const std::string& path);

// Makes the file (mode 0600) if it does not exist; fails when it can't be written.
Result<void> make_writable_file(const std::string& path);

}  // namespace relay::storage
