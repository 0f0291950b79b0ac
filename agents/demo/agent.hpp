// The demo agent: ACP version 1 without a model behind it.
//
// Messages come in as lines, answers go to the Output; nothing here waits. Single-threaded. Every
// error is answered as JSON-RPC says; ids go back byte for byte as they came.
#pragma once

#include "envelope.hpp"
#include "output.hpp"
#include "session.hpp"

#include <boost/json.hpp>

#include <map>
#include <string>
#include <string_view>

namespace demo {

struct AgentOptions {
  bool require_authentication = false;
  std::string hang_on;  // a method at which the agent falls silent
  std::string exit_on;  // a method at which the agent exits with code 3
  std::string state;    // the directory of its sessions; empty: they end with the process
};

class Agent {
 public:
  Agent(Output& output, AgentOptions options) : output_(output), options_(std::move(options)) {}

  void handle_line(std::string_view line);

  // Goes on with the turns that can. How long the caller may wait for input, in milliseconds, as
  // for poll(2): 0 when there is more to do, -1 when there is nothing.
  int work(Clock::time_point now);

 private:
  using Object = boost::json::object;

  // Requests and notifications (agent.cpp).
  void handle_call(const Envelope& envelope, std::string_view line);
  void handle_request(std::string_view id, std::string_view method, const Object& params);
  void handle_notification(std::string_view method, const Object& params,
                           std::string_view raw_params);
  void initialize(std::string_view id, const Object& params);
  void authenticate(std::string_view id, const Object& params);

  // Sessions (session_methods.cpp).
  bool handle_session_request(std::string_view id, std::string_view method, const Object& params);
  void new_session(std::string_view id, const Object& params);
  void begin(std::string_view id, Session session);
  void load_session(std::string_view id, const Object& params, bool replay);
  void fork_session(std::string_view id, const Object& params);
  // The session the params name, open or not; otherwise answers the request and gives null.
  Session* known_session(std::string_view id, const Object& params);
  void list_sessions(std::string_view id, const Object& params);
  void end_session(std::string_view id, const Object& params, bool forget);
  void set_mode(std::string_view id, const Object& params);
  void set_config_option(std::string_view id, const Object& params);
  void announce_configuration(const Session& session, bool mode_changed);
  Object session_state(const Session& session) const;
  // The open session the params name; otherwise answers the request and gives null.
  Session* open_session(std::string_view id, const Object& params);
  // Answers -32602 and gives false when the directory is missing or relative.
  bool check_cwd(std::string_view id, const Object& params, std::string& cwd);

  // Turns (turns.cpp).
  void prompt(std::string_view id, const Object& params);
  void start(Session& session, std::string_view text);
  void handle_response(const Envelope& envelope);
  bool send_chunks(Session& session);
  void echo(Session& session, std::string_view text);
  void tool(Session& session);
  void subagent(Session& session);
  void garbage(Session& session);
  void duplicate(Session& session);
  void use_memory(Session& session, std::uint64_t mebibytes);
  // `asker` is the session that asks: this one, or its sub-agent's.
  void ask_permission(Session& session, std::string_view asker);
  void call_client(Session& session, const Command& command);
  void recall(Session& session);
  void say(Session& session, std::string_view text, const char* kind = "agent_message_chunk");
  void end_turn(Session& session, std::string_view stop_reason);
  void close_open_request(Turn& turn);
  std::uint64_t send_request(std::string_view method, std::string_view params);

  void respond(std::string_view id, std::string_view result);
  void fail(std::string_view id, int code, std::string_view message,
            const boost::json::value& data = nullptr);
  void update(std::string_view session_id, std::string_view update);

  Output& output_;
  AgentOptions options_;
  bool authenticated_ = false;
  bool knows_booleans_ = false;
  bool knows_subagents_ = false;
  std::uint64_t last_request_ = 0;
  std::map<std::string, Session, std::less<>> sessions_;
};

// The string at `key`, or null when it is absent or something else.
inline std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

const boost::json::string* text_at(const boost::json::object& object, std::string_view key);

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kAuthenticationRequired = -32000;
inline constexpr int kNotFound = -32002;
inline constexpr int kCancelled = -32800;

}  // namespace demo
