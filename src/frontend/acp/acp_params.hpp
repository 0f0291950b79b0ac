// What ACP clients send the relay itself, and what it answers: readers and writers of JSON texts.
// Pure. Source of the shapes: the ACP schema, protocol version 1.
#pragma once

#include "base/result.hpp"
#include "frontend/params.hpp"
#include "session/session_directory.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::frontend {

struct AcpInitialize {
  std::string client_capabilities = "{}";  // JSON texts
  std::string client_info;                 // empty: the client does not say
  bool wants_sequences = false;            // clientCapabilities._meta["acp-relay/seq"]
};
Result<AcpInitialize> read_acp_initialize(std::string_view params);

// What an agent is told of a client: without what no client of a relay can offer (running the
// agent's program for a login), and without its disk and terminals when these are stripped.
std::string capabilities_for_agent(std::string_view client_capabilities, bool strip_disk);

// What the relay offers beside the agent.
struct AcpOffer {
  bool keeps_messages = true;  // false: there is no log, so nothing to list, load or delete
  std::string_view isolation;
  bool forks = true;  // where the agent can
  std::size_t max_message_bytes = 32u << 20;
};
// The agent's answer to `initialize` with what the relay does itself for every agent, and without
// what it does not carry.
std::string acp_initialize_result(std::string_view agent_result, const AcpOffer& offer);

Result<NewSession> read_acp_new(std::string_view params);

Result<ForkRequest> read_acp_fork(std::string_view params);

// session/load and session/resume.
struct AcpReturn {
  std::string session_id;
  std::string working_directory;  // for an agent that has to be started again; may be empty
  // Extensions of session/resume, in `_meta`: "acp-relay/after" replays what came after a number,
  // "acp-relay/requests" asks which of these request ids (JSON texts) the session has seen.
  std::optional<storage::Sequence> after;
  std::vector<std::string> requests;
};
Result<AcpReturn> read_acp_return(std::string_view params);

Result<storage::SessionQuery> read_acp_list(std::string_view params);
std::string acp_session_list(const storage::SessionPage& page);

// The result of session/new, load and resume: the agent's own members, the session's id (ACP has it
// in that of session/new; some clients read a session's stream only when a message has named it),
// and in `_meta` which directory and isolation are in force.
std::string acp_session_result(const Session& session);

// The message with its place in the session's stream in `_meta["acp-relay/seq"]`: of its params, or
// of its result when that is an object.
std::string with_sequence(std::string_view message, storage::Sequence sequence);

}  // namespace relay::frontend
