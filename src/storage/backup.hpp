// The whole log as one file: the database with the messages of its journal in it.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace relay::storage {

struct BackupSize {
  std::int64_t sessions = 0;
  std::int64_t messages = 0;
  std::uint64_t bytes = 0;  // of the file
  // Why messages are a gap in it: how the disk refused what it has lost of the journal, once a
  // file; or which are too large for a row of a database.
  std::vector<std::string> lost{};
};

// Writes all that the database at `path` has at this moment to `to`, which must not exist; it
// appears there when it is whole and on the disk. What a killed relay has only in its journal is
// not among it: the next start brings that in. A relay may be using the database meanwhile. What
// `to` becomes is a database that a relay can be started with. Messages whose bytes are not there
// any more are a gap in it, and not counted. Errors: no database there or one of another version, a
// file of the journal that can't be read now, no room, the target exists.
Result<BackupSize> back_up(const std::string& path, const std::string& to);

}  // namespace relay::storage
