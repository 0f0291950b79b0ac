#include "session/handshake.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/own_id.hpp"
#include "protocol/rpc.hpp"
#include "session/agent_failure.hpp"

#include <initializer_list>

namespace relay {
namespace {

constexpr std::size_t kMaxEarlyFrames = 1024;

std::string client_info() {
  return JsonObject()
      .text("name", "acp-relay")
      .text("title", "acp-relay")
      .text("version", RELAY_VERSION)
      .take();
}

// result.sessionId between its quotes, as it is spelled; empty when there is none.
std::string session_id_of(const Frame& response) {
  const auto id = object_member(response.result(), "sessionId");
  if (!id || !id->starts_with('"')) return {};
  return std::string(id->substr(1, id->size() - 2));
}

// The agent's capability at this path, e.g. {"sessionCapabilities", "resume"}: offered by an
// object, or by true.
bool offers(std::string_view initialize_result, std::initializer_list<std::string_view> path) {
  auto at = object_member(initialize_result, "agentCapabilities");
  for (const std::string_view key : path) {
    if (at) at = object_member(*at, key);
  }
  return at && *at != "null" && *at != "false";
}

Error forks_nothing() {
  return make_error(ErrorType::kMethodNotFound, "the agent can't fork sessions")
      .because("it does not offer sessionCapabilities.fork with loadSession or resume")
      .suggest("make a session with session/new");
}

}  // namespace

bool can_go_on(std::string_view initialize_result) {
  return offers(initialize_result, {"sessionCapabilities", "resume"}) ||
         offers(initialize_result, {"loadSession"});
}

bool can_fork(std::string_view initialize_result) {
  return offers(initialize_result, {"sessionCapabilities", "fork"}) && can_go_on(initialize_result);
}

Handshake::Handshake(RequestIds& ids, HandshakeOptions options, Extent extent)
    : ids_(ids), options_(std::move(options)), extent_(extent) {
  const Greeting& greeting = options_.greeting;
  ask("initialize",
      JsonObject()
          .number("protocolVersion", acp::kProtocolVersion)
          .raw("clientCapabilities", greeting.client_capabilities)
          .raw("clientInfo", greeting.client_info.empty() ? client_info() : greeting.client_info)
          .take());
}

Handshake::Progress Handshake::ask(std::string_view method, std::string params) {
  phase_ = method;
  awaited_ = ids_.next();
  next_ = SharedBytes(rpc::request(std::to_string(awaited_), method, params));
  return Progress::kSend;
}

Handshake::Progress Handshake::fail(Error error) {
  failure_ = std::move(error);
  return Progress::kFailed;
}

void Handshake::skipped(std::string excerpt) {
  if (first_skipped_.empty()) first_skipped_ = std::move(excerpt);
}

// An error without an id is an agent's way to say that it could not read the request.
bool Handshake::answers(const Frame& frame) const {
  if (!frame.is_response()) return false;
  if (frame.kind() == FrameKind::kError && frame.id() == "null") return true;
  return own_id(frame.id()) == awaited_;
}

// Some agents announce commands or login states before they answer session/new.
Handshake::Progress Handshake::keep_early(Frame frame) {
  const bool repeats = phase_ == "session/load" && frame.method() == acp::kUpdate;
  if (frame.is_response()) skipped(std::string(frame.bytes().substr(0, Frame::kExcerpt)));
  if (frame.is_response() || repeats || early_.size() >= kMaxEarlyFrames) return Progress::kWaiting;
  early_bytes_ += frame.bytes().size();
  if (early_bytes_ > options_.max_early_bytes) {
    early_.clear();
    return fail(make_error(ErrorType::kAgentProtocolError,
                           "the agent sent more than " + std::to_string(options_.max_early_bytes) +
                               " bytes before it answered " + phase_)
                    .because("agent.command is not an ACP agent of protocol version 1")
                    .suggest("check agent.command and agent.args")
                    .suggest("raise server.max_message_bytes"));
  }
  early_.push_back(std::move(frame));
  return Progress::kWaiting;
}

Handshake::Progress Handshake::take(Frame frame) {
  if (!answers(frame)) return keep_early(std::move(frame));
  if (frame.kind() == FrameKind::kError) {
    return goes_on() ? open_session("session/new") : fail(agent_refused(phase_, frame.result()));
  }
  if (phase_ == "initialize") {
    initialize_result_ = frame.result();
    const std::string& login = options_.greeting.authenticate;
    return login.empty() ? introduced() : ask("authenticate", login);
  }
  return phase_ == "authenticate" ? introduced() : session_opened(std::move(frame));
}

Handshake::Progress Handshake::introduced() {
  if (extent_ == Extent::kIntroduction) {
    ready_ = true;
    return Progress::kReady;
  }
  if (options_.fork) {
    return can_fork(initialize_result_) ? open_session("session/fork") : fail(forks_nothing());
  }
  if (options_.previous_session.empty()) return open_session("session/new");
  if (offers(initialize_result_, {"sessionCapabilities", "resume"})) {
    return open_session("session/resume");
  }
  return open_session(offers(initialize_result_, {"loadSession"}) ? "session/load" : "session/new");
}

Handshake::Progress Handshake::open_session(std::string_view method) {
  std::string params = with_member(options_.session_params, "cwd", json_string(options_.cwd));
  if (!object_member(params, "mcpServers")) params = with_member(params, "mcpServers", "[]");
  if (method != "session/new") {
    params = with_member(params, "sessionId", "\"" + options_.previous_session + "\"");
  }
  return ask(method, std::move(params));
}

Handshake::Progress Handshake::session_opened(Frame response) {
  agent_session_ = goes_on() ? options_.previous_session : session_id_of(response);
  if (agent_session_.empty()) {
    return fail(make_error(ErrorType::kAgentProtocolError,
                           "the agent's answer to " + phase_ + " has no sessionId")
                    .because("agent.command is not an ACP agent of protocol version 1")
                    .suggest("check agent.command and agent.args"));
  }
  session_response_ = std::move(response);
  ready_ = true;
  return Progress::kReady;
}

}  // namespace relay
