// All live sessions of a process: making them within the limit, finding them, ending the idle ones.
#pragma once

#include "session/session.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace relay {

struct DirectoryOptions {
  std::size_t max_sessions = 100;             // agent.max_concurrent_sessions; starting ones count
  std::chrono::milliseconds idle_timeout{0};  // sessions.idle_timeout; 0: never
};

struct NewSession {
  std::string working_directory;
  std::string owner;  // principal
  std::vector<std::pair<std::string, std::string>> environment;
  std::string mcp_servers = "[]";
  SharedBytes stored_request;
  std::string request_id = "null";
};

class SessionDirectory {
 public:
  SessionDirectory(SessionContext context, DirectoryOptions options);

  // Ends idle sessions until it is cancelled.
  Task<void> sweep();

  // The start does not depend on the caller: when that is cancelled, the session is undone in the
  // background and nothing is left.
  Task<Result<std::shared_ptr<Session>>> create(NewSession request);

  // Live sessions only; null: unknown, or closed.
  std::shared_ptr<Session> find(const SessionId& id) const;
  std::vector<std::shared_ptr<Session>> all() const;
  std::size_t size() const { return sessions_.size(); }
  std::size_t limit() const { return options_.max_sessions; }
  Isolation isolation() const { return context_.backend.isolation(); }

  // The gauges of what is live now.
  void count(Metrics& metrics) const;

  // For who reads from clients: see log_room(const SessionContext&).
  Task<void> log_room() { return relay::log_room(context_); }

  // Lets clients go on but makes no more sessions; then ends all and returns when nothing is left.
  void refuse_new() { stopping_ = true; }
  Task<void> close_all();
  // For a relay that has no time left: nothing is left running, nothing claims to be open.
  void abandon_all();

  // A closed session is given up: what its agent left behind goes.
  Task<void> release(SessionId session) { return context_.backend.release(std::move(session)); }

  // What the log has of live and closed sessions.
  Task<Result<storage::HistoryPage>> history(SessionId session, storage::Sequence after,
                                             std::size_t limit, std::size_t max_bytes);
  Task<Result<std::optional<storage::SessionRecord>>> find_record(SessionId session);
  Task<Result<storage::SessionPage>> list(storage::SessionQuery query);

 private:
  struct Starting;

  Task<void> live(std::shared_ptr<Session> session, std::shared_ptr<Starting> starting);

  SessionContext context_;
  DirectoryOptions options_;
  TaskScope scope_;
  std::map<SessionId, std::shared_ptr<Session>> sessions_;
  bool stopping_ = false;
};

Error session_not_found(std::string_view id);

}  // namespace relay
