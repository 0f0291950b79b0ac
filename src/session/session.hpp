// One session: one agent, its stream of numbered messages, and the clients that watch it.
//
// The shell around MessageRouter: it reads the agent, performs the router's effects (log, then
// deliver), holds the timers, and ends in one teardown whatever the way out. Made by
// SessionDirectory; shared with frontends, which may hold it longer than it lives (every call on a
// closed session answers with why).
#pragma once

#include "backend/agent_backend.hpp"
#include "base/async.hpp"
#include "base/byte_budget.hpp"
#include "base/log.hpp"
#include "metrics/metrics.hpp"
#include "protocol/secrets.hpp"
#include "session/agent_state.hpp"
#include "session/fork_point.hpp"
#include "session/handshake.hpp"
#include "session/message_router.hpp"
#include "session/outbox.hpp"
#include "storage/message_log.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace relay {

// What is read of the log at a time.
constexpr std::size_t kLogPageMessages = 2000;
constexpr std::size_t kLogPageBytes = 1u << 20;

// Answers and cancellations still go to an agent that does not read, up to so many times the bound.
constexpr std::size_t kMostWaiting = 2;

// What an answer counts beside its bytes that waits for a client to catch up.
constexpr std::size_t kHeldBytes = 256;

// What of the log can't be read, for want of a descriptor perhaps, is read again so many times.
constexpr int kMostLogFailures = 50;
constexpr std::chrono::milliseconds kBetweenLogFailures(100);

// Between two looks at what has no event of its own.
constexpr std::chrono::milliseconds kSessionLook(5);

struct SessionOptions {
  RouterLimits router;
  FrameLimits frame;  // of agents' lines
  std::chrono::milliseconds startup_timeout{10'000};
  std::chrono::milliseconds cancel_grace{
      2'000};                                   // for a cancelled turn to end, at the session's end
  std::chrono::milliseconds stop_grace{2'000};  // see Agent::stop
  std::chrono::milliseconds prompt_timeout{0};  // 0: none
  std::size_t max_inbox_bytes = 64u << 20;      // waiting to be written to the agent
  std::size_t max_log_pending_bytes = 32u
                                      << 20;  // the agent is not read while more waits for the log
  std::size_t max_early_bytes = 32u << 20;    // of an agent before its session has an id
  std::size_t max_clients = 1000;
  bool durable_first = false;  // clients are told what is safe from a power cut, not before
  std::string client_capabilities = "{}";  // JSON text, told to agents
  std::string network;                     // of the agent's container; empty: a process
  std::vector<std::string> upstreams;      // that its agent reaches through the relay
  std::vector<std::string> connect;        // hosts that it reaches by CONNECT
  bool keeps_home = true;                  // what the agent writes there outlives it
  std::vector<std::string> client_env;     // names of variables that a client may set
};

// What all sessions of one configured agent share; outlives them.
struct SessionContext {
  asio::any_io_executor executor;
  AgentBackend& backend;
  storage::MessageLog& log;
  Metrics& metrics;
  RequestIds& request_ids;
  Logger logger;
  SessionOptions options;
  std::shared_ptr<const SecretRedactor> redactor = std::make_shared<const SecretRedactor>();
  std::string name = {};  // of the agent; empty: the default one
};

// A log that is slower than agents and clients holds them back; one that can't be written does so
// with durable_first only.
bool log_is_behind(const SessionContext& context);
// Returns when the log has caught up, or the wait for it is in vain (asked often). False: the
// waiting coroutine was cancelled.
Task<bool> log_room(const SessionContext& context, std::function<bool()> is_in_vain = {});
// With durability strict: returns when the disk has all that was recorded so far. Elsewise at once.
Task<void> until_durable(const SessionContext& context);

enum class SessionState { kStarting, kReady, kClosing, kClosed };

struct Attachment {
  // The place behind everything that is replayed.
  static constexpr storage::Sequence kAfterReplay = std::numeric_limits<storage::Sequence>::max();

  ClientTraits traits;
  std::shared_ptr<Outbox> outbox;
  storage::Actor actor;
  // Of a caller that waits for one answer, and leaves with it.
  bool for_one_request = false;
  // The same connection is attached already: the audit trail does not tell of it again.
  bool aside = false;
  // The same, as this client, which it stays, with all that it waits for: it begins anew.
  std::optional<ClientId> in_place_of;
  // Replay what has a higher sequence number first; empty: only what comes from here on.
  std::optional<storage::Sequence> after;
  // The answer to what the client attaches with, and its place in the replay: before everything
  // that has a higher sequence number than `answer_at`.
  std::optional<Delivery> answer;
  storage::Sequence answer_at = 0;
  // Without a replay: the agent's updates that are in force come behind the answer.
  bool tell_state = false;
  // Also show answers to other clients' requests: a feed of everything.
  bool feed = false;
  // The outbox is for this session alone, and is closed when the session ends.
  bool closes = false;
};

struct StartRequest {
  LaunchSpec launch;
  Greeting greeting;
  std::string session_params = "{}";  // see HandshakeOptions
  // The client's request: session/new, or what makes a closed session go on.
  std::string method = "session/new";
  SharedBytes stored_request;           // as it is logged
  std::string request_id;               // JSON text of its id
  WallTime came = wall_now();           // when it did
  std::optional<storage::Actor> actor;  // who made it; nobody: the relay, for itself
  // Not a new conversation: the agent is asked to fork this one.
  std::optional<ForkPoint> fork;
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  // A record of a session that was closed makes it go on: under its id, after its last message.
  Session(const SessionContext& context, storage::SessionRecord record);

  // Starts the agent and shakes hands; on failure everything is undone and the session is closed.
  // On success run() has to be spawned.
  Task<Result<void>> start(StartRequest request);

  // Instead of start(), for a session that an earlier run of the relay left open: goes on with its
  // agent, and with the turn that runs. On failure the session is closed, in the log too; so it is
  // where `refusal` says why its agent is not gone on with.
  Task<Result<void>> recover(std::optional<Error> refusal = {});

  // Reads the agent until it ends; then tears everything down. Returns when nothing is left.
  Task<void> run();

  Result<ClientId> attach(Attachment attachment);
  // The client's outbox is lost to it: it goes on in another one, with everything after a number.
  // `answers`: what the replay leaves out, answers to it in their order. False: it has left.
  bool replay(ClientId client, std::shared_ptr<Outbox> outbox, storage::Sequence after,
              const std::vector<Delivery>& answers);
  void detach(ClientId client);
  // False: it has left, or was too slow.
  bool has_client(ClientId client) const;

  // Of a page of its log, what clients are not to know yet: with durable_first the log has more
  // than the disk.
  void leave_out_untold(storage::HistoryPage& page) const;
  // Of the number up to which the log is to be shown.
  storage::Sequence leave_out_untold(storage::Sequence end) const;

  // Routes one message of an attached client.
  void submit(ClientId client, Frame frame);
  // Whether the client's request with this id (JSON text) waits for its answer.
  bool has_request(ClientId client, std::string_view id) const;
  // The same for a request of any client, also of one that has left.
  bool waits(std::string_view id) const { return router_ && router_->waits(id); }

  // Answers a request of the agent on behalf of a client that has no connection of its own.
  // `member` is "result" or "error"; its message has so many bytes, which are counted.
  Result<void> answer(std::int64_t request, std::string_view member, std::string_view json,
                      const storage::Actor& actor, std::size_t message_bytes);
  bool was_asked(std::int64_t request, ClientId client) const;

  // Tells everybody who watches of something that befell the agent, which goes on; the message is
  // in the stream. False: the session is not ready, nobody was told.
  bool tell_notice(const Error& notice);

  // Asks the agent to end the turn, or what one of its child sessions does: the id as it is spelled
  // in JSON. For a client that has no connection of its own, as with answer().
  void cancel(std::string_view id, std::size_t message_bytes);

  // Asks the session to end, for the reason that clients are told and the log keeps; one that is
  // starting gives up, and start() fails with the reason. wait_closed() tells when it has ended.
  void close(Error why, std::string cause);
  Task<void> wait_closed();

  // Lets go of an agent that the next run of the relay goes on with: the session stays open in the
  // log, and its clients are cut off. False: its agent can't be left, nothing was done.
  Task<bool> leave();
  bool was_left() const { return left_; }

  // For a relay that has no time left: ends the agent and closes the session in the log, and waits
  // for nothing. Only the destructor may follow.
  void abandon();

  SessionState state() const { return state_; }
  // Ready, but for nothing more: its agent has ended by itself, and it will be closed as soon as
  // is known how.
  bool is_ending() const { return agent_ended_ && state_ == SessionState::kReady; }
  const storage::SessionRecord& record() const { return record_; }
  const SessionId& id() const { return record_.id; }
  Isolation isolation() const { return context_.backend.isolation(); }
  // Of its clients. For operators.
  void collect_outboxes(std::set<const Outbox*>& into) const;
  std::size_t permission_waits() const { return router_ ? router_->permission_waits() : 0; }
  std::optional<std::chrono::steady_clock::time_point> oldest_permission() const {
    return router_ ? router_->oldest_permission() : std::nullopt;
  }
  // Whether leave() can hand its agent to the next run.
  bool outlives_relay() const { return context_.backend.isolation() == Isolation::kContainer; }
  std::size_t queued_prompts() const { return router_ ? router_->queued_prompts() : 0; }
  bool turn_running() const { return router_ && router_->turn_running(); }
  std::size_t client_count() const { return watchers_.size(); }
  storage::Sequence last_sequence() const { return router_ ? router_->last_sequence() : 0; }
  // The agent's answers to the handshake, with the relay's session id: JSON texts.
  const std::string& new_result() const { return new_result_; }
  const std::string& initialize_result() const { return record_.agent_profile; }
  // new_result() with the agent's settings of now.
  std::string current_result() const { return agent_state_.result(); }
  // The place of the agent's answer to session/new in the stream.
  storage::Sequence opened_at() const { return opened_at_; }
  // Up to here its messages are those of the session that it was forked from; 0: it was not.
  storage::Sequence forked_at() const { return forked_at_; }
  // False: the session goes on with an agent that knows nothing of what was said in it.
  bool agent_remembers() const { return agent_remembers_; }
  // container.network_mode as it was for the agent's start, for a session in a container; else
  // empty.
  const std::string& network() const { return network_; }
  // agent.upstreams and agent.connect, likewise.
  const std::vector<std::string>& upstreams() const { return upstreams_; }
  const std::vector<std::string>& connect() const { return connect_; }
  // See Agent::carrier(); empty also without an agent.
  std::string_view carrier() const { return agent_ ? agent_->carrier() : std::string_view(); }
  std::string agent_description() const { return agent_ ? agent_->description() : std::string(); }
  // See Agent::usage(); empty also without an agent.
  Task<std::optional<AgentUsage>> agent_usage();
  // Since when nobody is attached and nothing runs; empty while busy.
  std::optional<std::chrono::steady_clock::time_point> idle_since() const;
  // Why requests to a closed session fail.
  const Error& closed_because() const { return close_error_; }

 private:
  struct Watcher {
    ClientId id;
    ClientTraits traits;
    std::shared_ptr<Outbox> outbox;
    storage::Actor actor;
    bool tells_leaving = false;  // in the audit trail
    bool feed = false;
    bool closes = false;
    bool live = false;    // caught up with the stream
    bool warned = false;  // that it falls behind
    // While it catches up: answers to it, by their places in the replay; and, as ranges, messages
    // that everyone but it is shown, for it has them in another form.
    std::multimap<storage::Sequence, Delivery> held;
    std::vector<storage::Gap> not_for_it;
    storage::Sequence replayed = 0;  // up to here it has the stream from the log
    storage::Sequence cursor = 0;    // the same, while it catches up
    storage::Sequence asked = 0;     // requests of the agent up to here have come to it
    ByteBudget held_bytes{0};        // of `held`, kHeldBytes more for each
    unsigned replays = 0;            // that were begun: only the last one goes on
  };
  struct Replay {
    ClientId client;
    unsigned number;
  };

  // session_start.cpp
  Task<Result<void>> launch(LaunchSpec spec);
  Task<Result<void>> shake_hands(const StartRequest& request);
  void become_ready(Handshake& handshake, const StartRequest& request);
  Task<Result<void>> copy_past(ForkPoint from);
  void keep_opening(const Effects& effects);
  Task<void> abandon_start(Error error, Logger log);

  // session_recovery.cpp
  Task<void> end_left();
  void close_unrecovered(storage::OpenCalls calls, Error why);

  // session.cpp
  void task_failed(const std::string& task);
  Task<void> write_to_agent();
  void take_output(AgentOutput output);
  void from_agent(std::string line, Effects& effects);
  void tell_misunderstood(Effects& effects);
  // `output`: how far the agent's output has been taken in with them.
  void perform(Effects& effects, const OutputPosition& output = {});
  void learn(const Effects& effects);
  bool learn_from_update(std::string_view update);
  bool learn_from_prompts(std::span<const storage::MessageRecord> records);
  bool set_title(std::string title);
  void save_settings();
  void save_progress();
  void tell_state(Watcher& one);
  void deliver(const ToClients& message);
  Task<void> deliver_durable();
  Task<void> deliver_waiting();
  void time_deliveries();
  void deliver(Watcher& watcher, const Delivery& delivery);
  void hold(Watcher& watcher, const Delivery& delivery);
  void drop_overflowed();
  void arm_deadline();
  void on_deadline();
  // When the time limit of the turn does its next step.
  std::optional<std::chrono::steady_clock::time_point> time_limit_at() const;
  void enforce_time_limit(Effects& effects);
  void update_idle();
  void announce(std::string_view method, const Error& error, std::string_view cause,
                Effects& effects);
  void advance_clock();
  // For what the router is asked at this moment, then for perform(). There is one of them: it is
  // not kept over a co_await, and who may be called by perform() has its own.
  Effects& fresh_effects();

  // session_end.cpp
  Task<void> stop_agent();
  Task<void> end_deaf_agent(Error why);
  Task<void> end_failed_agent();
  Task<void> finish(AgentExit exit);
  Task<bool> end_delivery();
  Task<void> end_replays(Delivery closed);

  // session_trace.cpp
  Logger turn_log() const;  // for what happens in the turn that runs
  void log_turns(const Effects& effects) const;
  void log_refusals(const std::optional<TraceContext>& trace, const Effects& effects) const;

  // session_clients.cpp
  MessageRouter::OnItsWay on_its_way_to(ClientId client) const;
  storage::Sequence told() const;
  void start_replay(Watcher& watcher, storage::Sequence after);
  Task<void> catch_up(Replay replay, storage::Sequence after);
  void hold(Watcher& watcher, const Delivery& delivery, storage::Sequence place);
  void release_held(Watcher& watcher, storage::Sequence before);
  void drop_held(Watcher& watcher, storage::Sequence place);
  static void leave_out(Watcher& watcher, storage::Sequence sequence);
  bool replay_page(Replay replay, const storage::HistoryPage& page, storage::Sequence& cursor);
  void answer_cut_off(const Watcher& watcher) const;
  bool agent_is_stuck(ClientId client, const Frame& frame);
  Watcher* watcher(ClientId id);
  Watcher* watcher(Replay replay);  // null also where another one has begun since
  void audit(const storage::Actor& actor, std::string_view action, std::string detail = {}) const;
  void audit_answers(const storage::Actor& actor, Effects& effects) const;

  const SessionContext& context_;
  storage::SessionRecord record_;
  const bool was_closed_;                           // before it was made to go on
  const std::string cause_before_ = record_.cause;  // why it was
  Logger log_;
  TaskScope scope_;
  SessionState state_ = SessionState::kStarting;
  std::unique_ptr<Agent> agent_;
  std::string network_;
  std::vector<std::string> upstreams_;
  std::vector<std::string> connect_;
  std::optional<MessageRouter> router_;
  AgentOutput early_;  // the agent's, read with the last word of the handshake
  // What clients were shown before the first could attach, so that the first need not ask the log
  // for it.
  std::vector<Delivery> opening_;
  storage::Sequence opening_end_ = 0;
  storage::Sequence opened_at_ = 0;
  storage::Sequence forked_at_ = 0;
  bool half_in_log_ = false;  // a fork, until all that it begins with is there
  bool agent_remembers_ = true;
  bool agent_ended_ = false;  // as its output says
  std::string new_result_;
  AgentState agent_state_;
  bool progress_unsaved_ = false;  // it knows more than the log's record of the session

  std::vector<ToClients> undelivered_;  // with durable_first: until the log has them
  // With durable_first: the last that the log has, and all have.
  storage::Sequence told_ = record_.last_sequence;
  Wakeup undelivered_ready_;

  std::vector<Watcher> watchers_;
  std::uint64_t next_client_ = 1;
  bool someone_overflowed_ = false;

  std::vector<SharedBytes> inbox_;
  std::size_t inbox_bytes_ = 0;
  storage::Progress inbox_end_;  // the agent's input when all of it is written
  Wakeup inbox_ready_;

  Effects effects_;
  asio::steady_timer deadline_;
  std::optional<std::chrono::steady_clock::time_point> armed_for_;
  std::chrono::steady_clock::time_point read_at_;  // when the messages at hand were read
  // Of messages on their way whose time is taken.
  std::optional<std::chrono::steady_clock::time_point> timed_input_, timed_output_;
  // What sessions.prompt_timeout has done to the turn that runs.
  enum class TimeLimit { kNotReached, kCancelled, kAgentEnded };
  TimeLimit time_limit_ = TimeLimit::kNotReached;
  std::optional<std::chrono::steady_clock::time_point> limited_turn_;  // when it began
  std::size_t misunderstood_ = 0;       // lines of the agent that somebody may have waited for
  std::optional<Error> agent_failure_;  // why the relay itself ended the agent
  std::optional<std::chrono::steady_clock::time_point> idle_since_;

  Error close_error_;
  std::string close_cause_;
  bool left_ = false;      // its agent, to the next run
  bool given_up_ = false;  // by close()
  Event start_aborted_;
  Event closed_;
};

}  // namespace relay
