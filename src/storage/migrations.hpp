// The schema and how a database gets to it.
//
// Steps only go forward; `user_version` counts those that were taken and `application_id` marks the
// file as ours. A database of another application or of a later version is refused and not changed.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace relay::storage {

class Database;

// "RELY" in ASCII.
inline constexpr std::int64_t kApplicationId = 0x52454C59;

// The version that this program writes.
std::int64_t schema_version();

// Whether a database with these marks may be used; `path` is for the explanation.
Result<void> check_marks(std::int64_t application_id, std::int64_t version,
                         const std::string& path);

// Brings an empty or earlier database to schema_version(), each step in a transaction.
Result<void> migrate(Database& database, const std::string& path);

}  // namespace relay::storage
