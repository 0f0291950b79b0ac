// What a killed relay left in its journal goes into the index, before anything else does.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "storage/message_store.hpp"

#include <cstdint>
#include <string>

namespace relay::storage {

// Writes what the journal has and the database has not; answers with the number of the next file.
// What is in both is written once; a sequence number that neither has becomes a gap; an entry that
// is not whole, as the last one of a killed relay may be, or damaged is left out. Files in which no
// message is left are deleted. A journal of another database is put aside under another name and
// named in the log. Fails when the database or a file of the journal can't be used, which stays as
// it is; the next start goes on from there.
Result<std::uint32_t> fold_journal(const std::string& database_path, const std::string& instance,
                                   MessageStore& store, const Logger& log);

}  // namespace relay::storage
