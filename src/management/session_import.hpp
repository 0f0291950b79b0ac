// Puts an exported session into the log, as a closed one.
//
// Everything is checked before the first write. Until the last message is in the log the session
// bears the cause kUnfinishedImport: what a relay that was killed in between leaves can be told
// from a whole session, and the next import of the same id replaces it. A failed import leaves
// nothing.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "storage/message_log.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace relay::management {

// A body may have this much, or server.max_message_bytes when that is more.
inline constexpr std::size_t kMaxImportBytes = 256u << 20;

struct ImportOptions {
  bool new_id = false;  // the session gets an id of its own here
  std::size_t max_line_bytes = 32u << 20;
};

struct ImportedSession {
  SessionId id;
  std::int64_t messages = 0;
  storage::Sequence last_sequence = 0;
};

// What an import changes in the head of a file: the id, and how it is said to have ended.
storage::SessionRecord imported_record(storage::SessionRecord head, const SessionId& id,
                                       WallTime now);

// Holds an id while its session is being made. False: somebody else does.
using ClaimId = std::function<bool(const SessionId&)>;

// Errors: invalid_params (the file; or the id exists, with the state "exists"), internal_error (the
// log can't be written). Does not hold up the loop: it gives way every megabyte.
Task<Result<ImportedSession>> import_session(storage::MessageLog& log, std::string file,
                                             ImportOptions options, ClaimId claim);

}  // namespace relay::management
