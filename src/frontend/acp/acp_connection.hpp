// One ACP connection, whatever carries it: from `initialize` on, which messages the relay answers,
// which go to the agent of a session, and where the answers go.
//
// The relay is the agent of this connection: it offers session/list, load, resume, close and delete
// for every agent and session/fork for those that can, gives each session an agent of its own, and
// passes on what it does not know. Messages without a session go to the agent of the session that
// was used last.
#pragma once

#include "frontend/acp/acp_params.hpp"
#include "frontend/attached_sessions.hpp"
#include "frontend/call_budget.hpp"
#include "frontend/relay_api.hpp"
#include "metrics/metrics.hpp"
#include "session/outbox.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace relay::frontend {

struct AcpOptions {
  std::vector<std::string> aliases;  // paths that are /acp, too
  FrameLimits frame;
  OutboxLimits outbox;
  std::size_t max_running_calls = 64;                     // of one connection, to the relay itself
  std::size_t max_streams = 1024;                         // of one connection over HTTP
  std::size_t max_unknown_streams = 16;                   // of these, before their session is used
  std::size_t max_connections = 4096;                     // over HTTP
  std::chrono::milliseconds initialize_timeout{10'000};   // for the first message of a WebSocket
  std::chrono::milliseconds connection_timeout{300'000};  // over HTTP, without stream and request
  std::chrono::milliseconds keep_alive{15'000};           // between comments on a silent stream
  bool strip_client_disk = true;
  bool keeps_messages = true;
  std::size_t max_message_bytes = 32u << 20;
};

// Where messages for the client go.
class AcpStreams {
 public:
  virtual ~AcpStreams() = default;

  virtual std::shared_ptr<Outbox> of_connection() = 0;
  // Whether the connection uses the session; anybody can name one.
  enum class Claim : bool { kNamed, kUsed };
  // Null: there are too many.
  virtual std::shared_ptr<Outbox> of_session(const std::string& id, Claim claim) = 0;
  // One stream for all (WebSocket): what is pushed first arrives first. Otherwise a client reads
  // a session's stream once it knows the session.
  virtual bool are_one() const = 0;
  // A kAttachResponse will come on the session's stream.
  virtual void answer_follows(const std::string& session) = 0;
};

// Who connects, and to which configured agent (empty: the default one).
struct AcpCaller {
  http::Principal principal;
  std::string agent;
};

class AcpConnection {
 public:
  // All outlive it.
  AcpConnection(RelayApi& api, Metrics& metrics, const AcpOptions& options, AcpStreams& streams,
                AcpCaller caller, asio::any_io_executor executor);

  // The first request. Gives its response; initialized() tells whether it is a result.
  Task<std::string> initialize(const Frame& request);
  bool initialized() const { return initialized_; }
  bool asked() const { return asked_; }  // initialize() was called
  bool wants_sequences() const { return client_.wants_sequences; }

  // Every later message, in the order of arrival. `session` names the session of a message that
  // does not do so itself.
  void take(Frame frame, std::string_view session = {});

  // Whether it attached to the session, or to the one whose child it is.
  bool uses(std::string_view session) const;
  // Whether its messages come to this connection now.
  bool is_attached(std::string_view session) const { return sessions_.hears(session); }

  // The stream of a session that it uses was lost: everything after a number comes again, on the
  // stream of now. `answers`: those that the replay leaves out, see Session::replay().
  Result<void> replay(const std::string& session, storage::Sequence after,
                      const std::vector<Delivery>& answers);

  const http::Principal& principal() const { return principal_; }
  const std::string& agent() const { return agent_; }

  // The client is gone: nothing is attached and nothing runs any more.
  Task<void> end();

 private:
  using Work = std::function<Task<void>(std::shared_ptr<Frame>)>;
  // Answers a request.
  using Call = Task<void> (AcpConnection::*)(const Frame&);

  // Of a method that the relay answers itself, for every agent; null: it is none.
  static Call call_of(std::string_view method);
  void start(std::string name, Frame frame, std::string_view asked, Work work);
  void start_call(Call call, Frame frame);
  Task<void> list(const Frame& frame);
  Task<void> close(const Frame& frame);
  Task<void> erase(const Frame& frame);
  Task<void> log_in(const Frame& frame);
  Task<void> open_session(const Frame& frame);
  Task<void> fork_session(const Frame& frame);
  void present(const std::shared_ptr<Session>& session, const Frame& frame, std::string_view asked);
  Task<void> return_to_session(const Frame& frame);
  Task<Result<std::shared_ptr<Session>>> revive(const AcpReturn& request, const Frame& frame);
  Task<Result<std::string>> resume_result(std::shared_ptr<Session> session, AcpReturn request);
  void to_agent(const std::shared_ptr<Session>& session, Frame frame);
  void to_session(std::string id, Frame frame);
  Task<void> attach_and_route(std::string id, std::shared_ptr<Frame> frame);
  Result<void> attach(const std::shared_ptr<Session>& session, Attachment attachment,
                      AttachedSessions::Chosen chosen);
  Greeting greeting() const;
  void forget_closed();
  void detach_all();

  void reply(std::string text);
  void refuse(const Frame& frame, const Error& error, std::string_view session = {});
  void answer(const Frame& frame, const Result<std::string>& result, std::string_view session = {});
  std::string response(std::string_view id, const Result<std::string>& result);
  bool is_observer() const { return principal_.role == http::Role::kObserver; }

  RelayApi& api_;
  Metrics& metrics_;
  const AcpOptions& options_;
  AcpStreams& streams_;
  http::Principal principal_;
  std::string agent_;
  TaskScope scope_;
  AttachedSessions sessions_;
  AttachedSessions aside_;  // the same sessions, for requests that name none
  AcpInitialize client_;
  std::string login_;  // params of the last `authenticate`, for later agents
  std::set<std::string, std::less<>> running_;  // ids of calls to the relay, JSON texts
  CallBudget budget_;                           // of these
  bool asked_ = false;
  bool initialized_ = false;
  bool has_ended_ = false;
};

}  // namespace relay::frontend
