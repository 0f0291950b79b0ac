// Reads the params of the relay's own methods. Pure.
#pragma once

#include "base/result.hpp"
#include "session/session_directory.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::frontend {

// session/new: agent, workingDirectory (or cwd), mcpServers, env. Whether there is such an agent
// and what its env may be is for SessionDirectory::create to say.
Result<NewSession> read_new_session(std::string_view params);

// session/fork: sessionId, and what session/new takes but for the agent.
struct ForkRequest {
  std::string session_id;
  NewSession session;
};
Result<ForkRequest> read_fork(std::string_view params);
// Its sessionId alone, in every dialect.
Result<std::string> read_forked_id(std::string_view params);

struct HistoryRequest {
  std::string session_id;
  storage::Sequence after = 0;
  std::size_t limit = 100;
};
inline constexpr std::size_t kMaxHistoryPage = 1000;
Result<HistoryRequest> read_history(std::string_view params);

struct ResumeRequest {
  std::string session_id;
  storage::Sequence after = 0;
  bool observe = false;
};
Result<ResumeRequest> read_resume(std::string_view params);

struct ListRequest {
  std::string cursor;
  std::size_t limit = 100;
  bool only_active = false;
};
inline constexpr std::size_t kMaxListPage = 1000;
Result<ListRequest> read_list(std::string_view params);

struct AnswerRequest {
  std::string session_id;
  std::int64_t request_id = 0;
  std::string member;  // "result" or "error"
  std::string json;
};
Result<AnswerRequest> read_answer(std::string_view params);

// session/request: any method of the agent. What the relay does itself is refused, with the way to
// it.
struct AgentRequest {
  std::string session_id;
  std::string method;
  std::string params;  // JSON text of an object
};
Result<AgentRequest> read_agent_request(std::string_view params);

// A sequence number as text (Last-Event-ID, a query); empty: it is none.
std::optional<storage::Sequence> read_sequence(std::string_view text);

}  // namespace relay::frontend
