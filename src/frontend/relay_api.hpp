// What the relay's own methods do, the same for HTTP and WebSocket: each gives its result as JSON
// text.
//
// A session belongs to the principal that made it; to others it does not exist, unless
// sessions.shared.
#pragma once

#include "frontend/params.hpp"
#include "http/access.hpp"
#include "protocol/frame.hpp"
#include "session/session_directory.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace relay::frontend {

struct ApiOptions {
  bool shared_sessions = false;  // sessions.shared
};

class RelayApi {
 public:
  RelayApi(SessionDirectory& sessions, ApiOptions options);

  // Makes a session from a session/new or session/fork request.
  Task<Result<std::shared_ptr<Session>>> create(http::Principal principal, const Frame& request);

  // The latter, by what a dialect of its own has read of its request.
  Task<Result<std::shared_ptr<Session>>> fork(http::Principal principal, ForkRequest wanted,
                                              const Frame& request);

  // Ends a session that was made for a client who left before it learned of it.
  static void undo(Session& session);

  // The live session with this id, or whose child has it, that the principal may use.
  // session_closed tells a session that was from one that never was. What comes for one that is
  // given another agent waits for that, behind the prompt that asked for it.
  Task<Result<std::shared_ptr<Session>>> find(http::Principal principal, std::string id);
  // The same for a prompt, which a session whose agent ended by itself gets another agent for.
  Task<Result<std::shared_ptr<Session>>> find_for_prompt(http::Principal principal, std::string id,
                                                         const Frame& prompt);
  // The same as find() at once, for live sessions only; null otherwise.
  std::shared_ptr<Session> find_live(const http::Principal& principal, std::string_view id) const;

  // Any session in the log that the principal may see.
  Task<Result<storage::SessionRecord>> find_record(http::Principal principal, std::string id);

  // The principal's sessions; `query.owner` is filled in.
  Task<Result<storage::SessionPage>> page(http::Principal principal, storage::SessionQuery query);

  Task<Result<std::string>> list(http::Principal principal, std::string params);
  Task<Result<std::string>> history(http::Principal principal, std::string params);
  Task<Result<std::string>> close(http::Principal principal, std::string params);
  // Ends the session and erases its messages. An id that is not there (any more) is no error: what
  // was wanted is so.
  Task<Result<std::string>> erase(http::Principal principal, std::string params);

  // The result of session/new and session/resume: what is known of the session, then the agent's
  // own members as they are now (modes, configOptions ...). `client` may be nobody.
  static std::string describe(const Session& session, ClientId client);

  SessionDirectory& sessions() { return sessions_; }
  bool may_use(const http::Principal& principal, const storage::SessionRecord& record) const;

 private:
  SessionDirectory& sessions_;
  ApiOptions options_;
};

// As the audit trail knows who calls.
storage::Actor actor_of(const http::Principal& principal);

// A connection has `limit` requests to the relay running.
Error too_many_calls(std::size_t limit);

// An observer's principal may not do this.
Error forbidden_for_observers(std::string_view method);

}  // namespace relay::frontend
