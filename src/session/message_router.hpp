// Who gets which message of one session. Pure: frames in, effects out, no I/O, no clock of its own.
//
// Towards the agent every request carries an id of the relay's and the agent's session id; towards
// clients requests of the agent carry an id of the relay's and the relay's session id. Only these
// (and the ids of child sessions) are spliced; all else passes byte for byte. Every message that a
// client may see gets the session's next sequence number.
//
//   - Answers go to the client that asked, in the same order as everything else.
//   - Notifications of the agent go to everyone.
//   - Prompts run one at a time; the others queue up to a bound.
//   - Requests of the agent are answered as acp::ReverseKind says, and never left unanswered.
#pragma once

#include "base/error.hpp"
#include "protocol/frame.hpp"
#include "protocol/trace_context.hpp"
#include "session/agent_calls.hpp"
#include "session/client.hpp"
#include "session/client_calls.hpp"
#include "session/effects.hpp"
#include "session/permission_policy.hpp"
#include "session/prompt_queue.hpp"
#include "session/session_ids.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

struct RouterLimits {
  std::size_t max_queued_prompts = 16;
  // Of one client, and as many of all clients that have left; also of the agent.
  std::size_t max_pending_requests = 1024;
  // Of prompts that wait behind a turn, and as many of what is kept of clients' requests that wait
  // for the agent, of those of clients that have left, and of the agent's that wait for clients.
  std::size_t max_pending_bytes = 64u << 20;
  std::size_t max_prompt_blocks = 1000;
  std::size_t max_subagents = 1000;  // child sessions whose ids are translated
  std::chrono::milliseconds permission_timeout{300'000};
  PermissionDefault permission_default = PermissionDefault::kCancelled;
  // Clients' disks and terminals are not offered to the agent: fs/* and terminal/* are answered
  // -32601.
  bool strip_client_disk = true;
};

// Ids for requests that the relay sends, to agents and to clients. Shared by all sessions of a
// process, so that a connection that watches several sessions can tell their requests apart.
// Runs of the relay on one database begin at different places, so that an agent that outlives one
// is never asked with an id that it knows; all stay exact as JSON numbers.
class RequestIds {
 public:
  explicit RequestIds(std::int64_t run = 1) : next_(((run - 1) % kRuns) * kIdsOfRun + 1) {}
  std::int64_t next() { return next_++; }

 private:
  static constexpr std::int64_t kIdsOfRun = std::int64_t{1} << 32;
  static constexpr std::int64_t kRuns = std::int64_t{1} << 20;

  std::int64_t next_;
};

struct Moment {
  std::chrono::steady_clock::time_point steady;
  WallTime wall;
};

// The relay's number for the call that a message belongs to (0: to none), and the agent's id of it.
struct CallMark {
  std::int64_t number = 0;
  std::string_view peer_id{};
};

// One client or (nobody) all who watch, but one.
struct Whom {
  ClientId only{};
  ClientId except{};
};

class MessageRouter {
 public:
  // Ids without quotes; the agent's as it spelled it.
  MessageRouter(const SessionId& relay_session, std::string_view agent_session, RouterLimits limits,
                RequestIds& ids, storage::Sequence last_sequence);

  // The time that what follows happens at.
  void at(Moment moment) { moment_ = moment; }

  // One that is there has other traits from here on.
  void add_client(ClientId client, ClientTraits traits);
  // Whether this request was sent to the client, and has still to come to it.
  using OnItsWay = std::function<bool(const SharedBytes& request)>;
  // A client that is live begins anew over its connection: what it was asked has come to it, and
  // show_pending() leaves it out, but for what is on its way: that may be lost to it.
  void begin_anew(ClientId client, const OnItsWay& is_on_its_way);
  // It answers nothing any more.
  void stop_asking(ClientId client, Effects& effects);
  // Sends the requests that wait for an answer to a client that has caught up, but for those that
  // come anyway.
  void show_pending(ClientId client, Effects& effects, storage::Sequence after = 0,
                    const OnItsWay& is_on_its_way = {});
  void remove_client(ClientId client, Effects& effects);

  void from_client(ClientId client, Frame frame, Effects& effects);
  void from_agent(Frame frame, Effects& effects);

  // An answer to a request of the agent that comes by another way than the client's own connection.
  // False: the request is not known, or answered already.
  bool answer(std::int64_t request_id, std::string_view member, std::string_view json,
              Effects& effects);
  // Whether the answer would be taken; for `result`s of permission requests also whether it
  // decides.
  bool accepts(std::int64_t request_id, std::string_view member, std::string_view json);

  // A client without a connection of its own cancels: the turn and all queued prompts, or what a
  // child session does. `id` is the session's, without the quotes of its JSON. In the log this is a
  // notification with the id alone, whatever else the client has sent.
  void cancel_for(std::string_view id, Effects& effects);

  // The relay itself ends the turn; its answer says why in _meta["acp-relay/cancelled"]. kAll: and
  // whatever waits behind it.
  enum class Cancelled { kTurn, kAll };
  void cancel_because(std::string_view reason, Cancelled extent, Effects& effects);

  // Goes on with an agent whose earlier relay ended: takes up the calls that wait for an answer.
  // Clients' requests that the agent was not given, and prompts behind the running one, are
  // answered with the error; for what the agent asked nobody is there at first. A prompt that the
  // agent may have or not gets the error when for kDoubt nothing of the agent shows that it works
  // on it (session/turn_signs.hpp).
  static constexpr std::chrono::seconds kDoubt{2};
  void restore(storage::OpenCalls calls, const storage::Progress& progress, const Error& error,
               Effects& effects);
  // A part of what the agent wrote can't be read any more. The end of the turn may be in it: an
  // agent that shows nothing of a turn for kSilent after the next cancellation is taken to have
  // ended it.
  static constexpr std::chrono::seconds kSilent{10};
  void output_lost();
  void restore_child(std::string_view relay_json) { session_ids_.restore_child(relay_json); }
  // Leaves one number of the stream out, for what can't be read any more.
  storage::Sequence skip() { return ++sequence_; }

  // The agent is gone: everything that waits is answered with the error.
  void agent_ended(const Error& error, Effects& effects);

  // Answers what has waited too long.
  void tick(Effects& effects);
  std::optional<std::chrono::steady_clock::time_point> next_deadline() const;

  // A notification of the relay to everyone, in the session's stream.
  void announce(std::string_view method, std::string_view params, Effects& effects);
  // Puts a message that was exchanged outside the router (the session's first ones) into the
  // stream.
  void record(storage::Origin origin, storage::MessageKind kind, bool to_client,
              std::string_view method, std::string_view id, SharedBytes body, Effects& effects);

  // What Frame::parse has to watch for in the agent's messages: its session id as JSON text, when
  // it is unmistakable.
  std::string_view watched_id() const { return session_ids_.watched(); }

  storage::Sequence last_sequence() const { return sequence_; }
  bool turn_running() const { return turn_.has_value(); }
  // A request of a client has gone to the agent and is not answered.
  bool someone_waits() const { return client_calls_.size() > prompts_.size(); }
  std::optional<std::chrono::steady_clock::time_point> turn_started() const;
  // Of the turn that runs.
  std::optional<TraceContext> turn_trace() const;
  std::size_t permission_waits() const { return agent_calls_.permissions(); }
  std::optional<std::chrono::steady_clock::time_point> oldest_permission() const {
    return agent_calls_.oldest_permission();
  }
  std::size_t queued_prompts() const { return prompts_.size(); }
  // Whether the client's request with this id (JSON text) waits for its answer.
  bool has_request(ClientId client, std::string_view id) const {
    return client_calls_.relay_id(client, id).has_value();
  }
  // The ids of all of these.
  std::vector<std::string> requests_of(ClientId client) const { return client_calls_.ids(client); }
  // Whether it waits, whoever made it.
  bool waits(std::string_view id) const { return client_calls_.waits(id); }
  bool is_pending(std::int64_t request_id) { return agent_calls_.find(request_id) != nullptr; }
  // Whether the client may answer it: it was asked, or it knows the request from before and is
  // still catching up.
  bool was_asked(std::int64_t request_id, ClientId client) const;

 private:
  struct Client {
    ClientTraits traits;
    bool caught_up = false;
  };
  struct Turn {
    std::int64_t relay_id;
    ClientId client;
    std::chrono::steady_clock::time_point started;
    std::string cancelled_because;         // empty: not by the relay
    bool cancelled = false;                // by whomever: what it still asks for is not asked
    std::vector<std::string> by_policy{};  // permissions, see policy_decision(); the first ones
    std::size_t more_by_policy = 0;        // how many more there were
    bool output_lost = false;
    // Set while nobody knows whether the agent has the prompt, or has ended the turn: when the
    // relay gives it up.
    std::optional<std::chrono::steady_clock::time_point> doubtful_until{};
    std::optional<TraceContext> trace{};  // that its prompt is part of
  };

  struct TurnOutcome {
    std::string_view stop_reason;  // see TurnEnd
    bool failed;
    bool is_error;
    std::string_view json;  // the result, or the error
  };
  // To a request of the agent.
  struct Answer {
    std::string_view member;  // "result" or "error"
    std::string_view json;
    storage::Origin origin = storage::Origin::kRelay;
    ClientId by{};
    SharedBytes as_sent{};  // the whole message, where the client's own spelling is kept
  };

  // Clients' side (router_clients.cpp).
  void client_request(ClientId client, Frame frame, Effects& effects);
  void client_notification(ClientId client, Frame frame, Effects& effects);
  void client_response(ClientId client, Frame frame, Effects& effects);
  void cancel_request(ClientId client, const Frame& frame, Effects& effects);
  void prompt(ClientCall call, Frame frame, Effects& effects);
  void start_turn(QueuedPrompt prompt, const std::vector<std::string_view>& blocks,
                  Effects& effects);
  void echo_prompt(ClientId client, const std::vector<std::string_view>& blocks, Effects& effects);
  void end_turn(const TurnOutcome& outcome, Effects& effects);
  void fail_turn(const Error& error, bool failed, Effects& effects);
  void cancel_child(std::string_view id, Effects& effects);
  void end_queued(ClientId client, Effects& effects);
  void interrupt_agent(Effects& effects);
  void cancel(ClientId client, Effects& effects);
  std::string to_agent_bytes(const Frame& frame, std::optional<std::int64_t> relay_id) const;

  // The agent's side (router_agent.cpp).
  void agent_request(Frame frame, Effects& effects);
  void agent_notification(Frame frame, Effects& effects);
  void agent_response(Frame frame, Effects& effects);
  std::optional<std::int64_t> asked_id(const Frame& response) const;
  std::string told_of_turn() const;
  void unasked_response(const Frame& frame, Effects& effects);
  void tell_of_setting(const ClientCall& call, std::string_view result, Effects& effects);
  std::vector<ClientId> recipients(const Frame& frame, const AgentCall& call) const;
  std::vector<ClientId> elicited_by(const Frame& frame, const AgentCall& call) const;
  std::vector<ClientId> able_to_answer(acp::ReverseKind kind) const;
  ClientId originator(const Frame& frame) const;
  bool someone_may_come() const;
  void show(ClientId id, AgentCall& call, Effects& effects);
  bool is_over(const AgentCall& elicitation) const;
  void cancel_unseen(Effects& effects);
  void open_to_all(AgentCall& elicitation, Effects& effects);
  void settle_without_clients(std::int64_t id, Effects& effects);
  void settle_by_policy(std::int64_t id, Effects& effects);
  void settle(std::int64_t id, Answer answer, Effects& effects);
  void settle_with(std::int64_t id, std::string_view result, Effects& effects);
  void settle_with_error(std::int64_t id, int code, std::string_view message, Effects& effects);
  void cancel_questions(std::string_view child_json, Effects& effects);
  void bind_child(const Frame& notification, Effects& effects);

  // What an earlier relay left (router_recovery.cpp).
  void restore_request(const storage::MessageRecord& request, const storage::Progress& progress,
                       const Error& error, Effects& effects);
  void restore_turn(const storage::MessageRecord& prompt, bool was_written);
  void settle_doubt(const Frame& from_agent);
  void give_up_doubtful_turn(Effects& effects);
  void doubt_end_of_turn();
  void restore_question(const storage::MessageRecord& request, Effects& effects);

  void refuse(ClientId client, std::string_view id, const Error& error, Effects& effects,
              CallMark call = {});
  // Into the stream, and to the client whose request `id` is answered.
  void respond(storage::Origin origin, ClientId to, std::string_view id, SharedBytes bytes,
               Effects& effects, CallMark call = {});
  // Into the stream, and to all whom it may concern.
  void notify(storage::Origin origin, std::string_view method, SharedBytes bytes, Effects& effects,
              Whom whom = {});
  storage::Sequence note(storage::Origin origin, storage::MessageKind kind, bool to_client,
                         std::string_view method, std::string_view id, SharedBytes body,
                         Effects& effects, CallMark call = {});
  void send(ClientId to, SharedBytes bytes, storage::Sequence sequence, DeliveryKind kind,
            Effects& effects, ClientId except = {}) const;
  Client* client(ClientId id);
  // Of a call that is not there.
  bool may_be_given_up(std::int64_t relay_id) const {
    return relay_id > 0 && relay_id <= given_up_;
  }

  SessionIds session_ids_;
  RouterLimits limits_;
  RequestIds& ids_;
  storage::Sequence sequence_;
  Moment moment_{};

  std::map<ClientId, Client> clients_;
  ClientCalls client_calls_;
  AgentCalls agent_calls_;
  PromptQueue prompts_;
  std::optional<Turn> turn_;
  std::int64_t given_up_ = 0;  // the last of the calls that were not waited for to their end
  ClientId elicited_;          // who got the last elicitation; nobody: all of them
  Error doubt_error_;          // why a doubtful turn ends
};

}  // namespace relay
