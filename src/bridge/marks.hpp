// The relay's marks in `_meta` by which a bridge resumes: reading, removing and writing them.
//
// Pure. All texts are JSON as it is spelled. A relay that was asked to puts `acp-relay/seq` into
// the params or the result of every message of a session; session/resume takes `acp-relay/after`
// and `acp-relay/requests`.
#pragma once

#include "protocol/frame.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::bridge {

struct SequenceMark {
  std::int64_t number = 0;
  Span cut;  // bytes of the frame without which it is as the agent wrote it; size 0: none are cut
};

// The sequence number of a message of a session.
std::optional<SequenceMark> find_sequence(const Frame& frame);

// The params of an initialize that also asks for sequence numbers.
std::string asking_for_sequence(std::string_view params);

// What a session is resumed with. Empty `mcp_servers`: none; empty `directories`: left out.
struct Resumption {
  std::string_view session, cwd, mcp_servers, directories;
  std::optional<std::int64_t> after;
  std::vector<std::string_view> requests;  // ids whose answers are awaited
};
std::string resume_params(const Resumption& resumption);

// Those of the requests that the session had received before, from the result of session/resume.
// Nothing: the result does not say.
std::optional<std::vector<std::string>> received_requests(std::string_view result);

// Those of them that nobody works on any more, and that will not be answered: the relay was started
// again meanwhile.
std::vector<std::string> lost_requests(std::string_view result);

// What a relay takes in one session/resume.
inline constexpr std::size_t kMaxAskedRequests = 1000;

// False: the agent of a session that goes on knows nothing of what was said in it.
bool agent_remembers(std::string_view result);

// True when the result of initialize is that of a relay that knows these marks.
bool knows_marks(std::string_view initialize_result);

// The largest message that this relay takes (server.max_message_bytes), where it says so.
std::optional<std::size_t> most_of_message(std::string_view initialize_result);

}  // namespace relay::bridge
