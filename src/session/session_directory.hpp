// All live sessions of a process: making them within the limit, finding them, ending the idle ones.
#pragma once

#include "session/agent_catalogue.hpp"
#include "session/agent_profiles.hpp"
#include "session/session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace relay {

struct DirectoryOptions {
  std::size_t max_sessions = 100;             // agent.max_concurrent_sessions; starting ones count
  std::chrono::milliseconds idle_timeout{0};  // sessions.idle_timeout; 0: never
  bool restart_agent = true;                  // sessions.restart_agent
  std::chrono::milliseconds restart_pause{1'000};  // before the second restart, then the double ...
};

struct NewSession {
  std::string agent;  // name of a configured agent; empty: the default one
  std::string working_directory;
  std::string owner;  // principal
  // Who makes it, for the audit trail; nobody: the relay, for itself.
  std::optional<storage::Actor> actor;
  std::vector<std::pair<std::string, std::string>> environment;
  // Only when the session ended by itself, and in the directories that its agent had.
  bool is_restart = false;
  std::optional<Greeting> greeting;   // empty: as sessions.client_capabilities says
  std::string session_params = "{}";  // see HandshakeOptions
  std::string method = "session/new";
  SharedBytes stored_request;
  std::string request_id = "null";
  WallTime came = wall_now();     // when the client's request did
  std::optional<ForkPoint> fork;  // set by SessionDirectory::fork()
};

class SessionDirectory {
 public:
  // `context` is that of the default agent; `others` are the further configured ones.
  SessionDirectory(SessionContext context, DirectoryOptions options,
                   std::vector<AgentEntry> others = {});

  // Goes on with the sessions that an earlier run left open, or closes them: before the first
  // client comes.
  Task<void> recover();

  // Ends idle sessions until it is cancelled.
  Task<void> sweep();

  // The start does not depend on the caller: when that is cancelled, the session is undone in the
  // background and nothing is left.
  Task<Result<std::shared_ptr<Session>>> create(NewSession request);

  // Makes a session of the same agent that begins with what is said in `parent` up to now, in its
  // messages and in what its agent knows; `parent` may be open or closed. Errors: those of
  // create(); method_not_found: not with this agent; session_closed, workspace_unavailable: in a
  // container, whose workspace and home are copied.
  Task<Result<std::shared_ptr<Session>>> fork(storage::SessionRecord parent, NewSession request);

  // Makes a closed session go on with a new agent, under its id and after its last message. When
  // that is under way already, or done, it is the same session for both.
  Task<Result<std::shared_ptr<Session>>> reopen(SessionId id, NewSession request);

  // The same for a prompt to a session whose agent ended by itself: only with an agent that can
  // load the session, and each time after a longer pause. session_closed when it can't be. `trace`:
  // of the prompt (trace_members()), for the agent that is started. Who comes meanwhile has the
  // same agent, behind who came before. session_closed for all of them when the session is given
  // up meanwhile.
  Task<Result<std::shared_ptr<Session>>> restart(storage::SessionRecord closed,
                                                 std::string trace = {});
  bool is_restarting(const SessionId& session) const;
  // Closed ones that are to get another agent, also in the pause before that.
  std::size_t restarting() const;
  // Returns when it is not, in the order in which callers came.
  Task<void> restarted(SessionId session);

  // Closes the session for good, live or not: no agent goes on with it by itself any more, and what
  // an earlier one left behind goes. `why` is told to its clients, `cause` is in the log. Who wants
  // to open or erase it meanwhile waits. shutting_down: it was left to the next run.
  Task<Result<void>> give_up(SessionId id, Error why, std::string cause);

  // Nobody opens, erases or imports the session until it is let go. False: somebody has it.
  bool hold(const SessionId& id) {
    return !find(id) && !ending_.contains(id) && held_.insert(id).second;
  }
  void let_go(const SessionId& id) { held_.erase(id); }
  bool is_held(const SessionId& id) const { return held_.contains(id); }

  // Gives it up, and deletes all that is left of it.
  Task<Result<void>> erase(SessionId session);

  // Notes in the audit trail that somebody did something to a session.
  void audit(SessionId session, std::string_view action, const storage::Actor& actor,
             std::string detail = {});

  // What an agent answers to `initialize`: of the last one that was started, or of one that is
  // started to learn it and ended again.
  Task<Result<std::string>> agent_profile(std::string agent);

  // Starts an agent to try a login; gives its answer to `authenticate`.
  Task<Result<void>> try_login(std::string agent, Greeting greeting);

  // Live sessions only; null: unknown, or closed.
  std::shared_ptr<Session> find(const SessionId& id) const;
  std::vector<std::shared_ptr<Session>> all() const;
  std::size_t size() const { return sessions_.size(); }
  std::size_t limit() const { return options_.max_sessions; }
  const AgentCatalogue& agents() const { return agents_; }

  // The gauges of what is live now.
  void count(Metrics& metrics) const;

  // For who reads from clients: see log_is_behind() and log_room() of a context.
  bool log_is_behind() const { return relay::log_is_behind(context_); }
  Task<bool> log_room(std::function<bool()> is_in_vain) {
    return relay::log_room(context_, std::move(is_in_vain));
  }

  // The settings of an agent's sessions (empty name: the default one's) and of the directory, from
  // here on. Sessions that are open keep what they have of the router's limits.
  void change(const std::string& agent, SessionOptions options) {
    agents_.change(agent, std::move(options));
  }
  void change(DirectoryOptions options) { options_ = options; }
  // Another program stands behind the agent from here on: what is known of it is learned again.
  void forget_profile(const std::string& agent);

  // Sessions that are open, or starting, go on; until drain() is taken back no other is made, and
  // no closed one goes on.
  void drain() { draining_ = true; }
  void end_drain() { draining_ = false; }
  bool draining() const { return draining_; }

  // Lets clients go on but makes no more sessions; then ends all and returns when nothing is left.
  void refuse_new();
  Task<void> close_all();
  // The same, but for sessions whose agents the next run can go on with: those are left to it.
  Task<void> leave_all();
  // Of one that has this record: it was left, and nothing can be done to it before the next run.
  bool is_left(const storage::SessionRecord& record) const;
  // For a relay that has no time left: nothing is left running, nothing claims to be open.
  void abandon_all();

  // What the agent of a closed session left behind goes.
  Task<void> release(storage::SessionRecord session);

  // Which of these requests (ids as JSON texts) the session has seen; and which of those will never
  // be answered, since neither the agent has them nor the log has an answer behind `after`: their
  // relay ended.
  struct SeenRequests {
    std::vector<std::string> known;
    std::vector<std::string> lost;
  };
  Task<Result<SeenRequests>> seen_requests(std::shared_ptr<Session> session,
                                           std::vector<std::string> ids, storage::Sequence after);

  // What the log has of live and closed sessions.
  Task<Result<storage::HistoryPage>> history(SessionId session, storage::Sequence after,
                                             std::size_t limit, std::size_t max_bytes);
  Task<Result<std::optional<storage::SessionRecord>>> find_record(SessionId session);
  Task<Result<storage::SessionPage>> list(storage::SessionQuery query);

 private:
  struct Starting;
  struct Introduction;
  struct Recovery;
  struct Restarting;
  struct Restarts {
    unsigned count = 0;
    std::chrono::steady_clock::time_point last;
  };

  // agent_restart.cpp
  Task<Result<std::shared_ptr<Session>>> restart_now(storage::SessionRecord closed,
                                                     std::string trace);
  // directory_closing.cpp
  enum class Record { kStays, kGoes };
  Task<Result<void>> end_for_good(SessionId id, Error why, std::string cause, Record record);
  void end_restart(const SessionId& session, const Error& why);
  // directory_introductions.cpp
  Task<void> introduce_agent(std::shared_ptr<Introduction> introduction);
  Task<void> learn_profile(std::string agent, std::shared_ptr<Introduction> introduction);
  // directory_recovery.cpp
  Task<void> erase_unfinished(storage::SessionRecord record, std::shared_ptr<Recovery> recovery);
  static Task<Result<void>> take_up(std::shared_ptr<Session> session, const SessionContext* alike,
                                    std::optional<Error> refusal);
  Task<void> revive(storage::SessionRecord record, std::shared_ptr<Recovery> recovery);
  static Task<void> leave(std::shared_ptr<Session> session, std::shared_ptr<Recovery> leaving);
  // session_directory.cpp
  Task<Result<std::shared_ptr<Session>>> start(const SessionContext& agent,
                                               storage::SessionRecord record, NewSession request);
  Task<void> live(std::shared_ptr<Session> session, std::shared_ptr<Starting> starting);
  void forget(const Session& session);
  std::optional<Error> makes_none() const;
  std::optional<Error> log_is_needed() const;

  AgentCatalogue agents_;
  const SessionContext& context_ = agents_.standard();  // of the default agent
  DirectoryOptions options_;
  TaskScope scope_;
  std::map<SessionId, std::shared_ptr<Session>> sessions_;
  std::map<SessionId, std::shared_ptr<Starting>> starting_;
  std::map<SessionId, Restarts> restarts_;  // of sessions whose agents ended lately
  std::map<SessionId, std::shared_ptr<Restarting>> restarting_;
  std::set<SessionId> held_;  // they are being imported
  // They are not live any more, and are being closed for good or deleted.
  std::map<SessionId, std::shared_ptr<Event>> ending_;
  AgentProfiles profiles_;
  std::map<std::string, std::shared_ptr<Introduction>> learning_;  // who is asked, by agent
  Event introductions_end_;                                        // those under way give up
  std::size_t introductions_ = 0;  // under way; they count as sessions
  bool stopping_ = false;
  bool draining_ = false;
};

Error session_not_found(std::string_view id);
Error shutting_down();
Error session_limit_reached(std::size_t limit);

// Why a prompt starts no other agent for it.
Error stays_closed(const storage::SessionRecord& record, std::string_view because);

}  // namespace relay
