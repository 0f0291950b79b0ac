#include "session/unfinished.hpp"

namespace relay {

std::optional<Error> refuse_unfinished(const storage::SessionRecord& session) {
  if (session.cause == kUnfinishedFork) {
    return make_error(ErrorType::kSessionClosed, "only a part of the session was forked")
        .because("the fork is under way, failed, or the relay ended while it was")
        .suggest("fork the other session again; this one goes with the next start of the relay")
        .with("session_id", session.id.value())
        .with("cause", session.cause);
  }
  if (session.cause != kUnfinishedImport) return std::nullopt;
  return make_error(ErrorType::kSessionClosed, "only a part of the session was imported")
      .because("the relay ended while it was")
      .suggest("import its file again: acp-relay sessions import FILE")
      .with("session_id", session.id.value())
      .with("cause", session.cause);
}

Error being_imported(const SessionId& session) {
  return make_error(ErrorType::kInvalidParams,
                    "the session " + session.value() + " is being imported")
      .suggest("try again when the import has ended")
      .with("session_id", session.value())
      .retryable();
}

}  // namespace relay
