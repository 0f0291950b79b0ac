// The prepared statements of a MessageStore.
#pragma once

#include "storage/message_store.hpp"

namespace relay::storage {

struct MessageStore::Statements {
  static Result<std::unique_ptr<Statements>> prepare(Database& database);

  Statement begin, commit;
  Statement insert_message, insert_run, reached;
  Statement create_session, change_session, close_session, session_number;
  Statement previous_gap, extend_gap, insert_gap;
  Statement find_session, list_sessions;
  Statement runs_from, messages_of_run, gaps_of_session;
  Statement runs_by_age, delete_run, shorten_run, delete_places;
  Statement oldest_runs, delete_session, closed_sessions;
  Statement runs_before, requests_at;
  Statement progress, known_up_to, open_calls, unsent_answers;
  Statement written_order, page_count, free_pages;
};

// The columns of a session in the order in which session_of() reads them.
SessionRecord session_of(const Statement& row);
// The same for a message.
MessageRecord message_of(const Statement& row);

}  // namespace relay::storage
