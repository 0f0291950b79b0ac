#include "session/handshake.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"
#include "session/agent_failure.hpp"

#include <boost/json.hpp>

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
  boost::system::error_code failure;
  const boost::json::value result = boost::json::parse(response.result(), failure);
  const boost::json::object* object = failure ? nullptr : result.if_object();
  const boost::json::value* id = object != nullptr ? object->if_contains("sessionId") : nullptr;
  if (id == nullptr || !id->is_string() || id->as_string().empty()) return {};
  std::string spelled = boost::json::serialize(*id);
  // Prefer the agent's own spelling, which is what it will repeat.
  for (const Span& reference : response.envelope().session_references) {
    const std::string_view text = response.text(reference);
    boost::system::error_code ignored;
    if (boost::json::parse(text, ignored) == *id) {
      spelled = text;
      break;
    }
  }
  return spelled.substr(1, spelled.size() - 2);
}

}  // namespace

Handshake::Handshake(RequestIds& ids, HandshakeOptions options)
    : initialize_id_(ids.next()), session_id_(ids.next()), options_(std::move(options)) {}

SharedBytes Handshake::initialize() const {
  const std::string params = JsonObject()
                                 .number("protocolVersion", acp::kProtocolVersion)
                                 .raw("clientCapabilities", options_.client_capabilities)
                                 .raw("clientInfo", client_info())
                                 .take();
  return SharedBytes(rpc::request(std::to_string(initialize_id_), "initialize", params));
}

Handshake::Progress Handshake::fail(Error error) {
  failure_ = std::move(error);
  return Progress::kFailed;
}

Handshake::Progress Handshake::take(Frame frame) {
  const bool initializing = phase_ == "initialize";
  const std::string awaited = std::to_string(initializing ? initialize_id_ : session_id_);
  if (!frame.is_response() || frame.id() != awaited) {
    // Some agents announce commands or login states before they answer session/new.
    if (!frame.is_response() && early_.size() < kMaxEarlyFrames) early_.push_back(std::move(frame));
    return Progress::kWaiting;
  }
  if (frame.kind() == FrameKind::kError) return fail(agent_refused(phase_, frame.result()));
  if (initializing) {
    initialize_result_ = frame.result();
    phase_ = "session/new";
    const std::string params =
        JsonObject().text("cwd", options_.cwd).raw("mcpServers", options_.mcp_servers).take();
    next_ = SharedBytes(rpc::request(std::to_string(session_id_), phase_, params));
    return Progress::kSend;
  }
  agent_session_ = session_id_of(frame);
  if (agent_session_.empty()) {
    return fail(make_error(ErrorType::kAgentProtocolError,
                           "the agent's answer to session/new has no sessionId")
                    .because("agent.command is not an ACP agent of protocol version 1")
                    .suggest("check agent.command and agent.args"));
  }
  session_response_ = std::move(frame);
  return Progress::kReady;
}

}  // namespace relay
