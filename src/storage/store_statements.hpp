// The prepared statements of a MessageStore.
#pragma once

#include "storage/message_store.hpp"

namespace relay::storage {

struct MessageStore::Statements {
  static Result<std::unique_ptr<Statements>> prepare(Database& database);

  Statement begin, commit;
  Statement insert_run, reached;
  Statement begin_call, answer_call, end_call, forget_answers, forget_calls;
  Statement create_session, change_session, close_session, session_number;
  Statement previous_gap, extend_gap, insert_gap;
  Statement find_session, list_sessions;
  Statement runs_from, gaps_of_session;
  Statement runs_by_age, delete_run, shorten_run;
  Statement oldest_runs, delete_session, closed_sessions;
  Statement runs_before;
  Statement progress, known_up_to, open_calls, unsent_answers;
  Statement note_entry, outdate_entries, release_outdated, release_entries, forget_entries;
  Statement unused, forget_unused, forget_segment, note_unused;
  Statement use_upstreams;
  Statement insert_audit, audit_rows, oldest_audit, forget_audit;
  Statement set_property, uses_segment, page_count, free_pages;
};

inline std::int64_t milliseconds(WallTime time) { return time.time_since_epoch().count(); }

// The columns of a session in the order in which session_of() reads them.
SessionRecord session_of(const Statement& row);

}  // namespace relay::storage
