// An ACP agent that costs next to nothing, so that a benchmark measures what lies before it.
//
//   initialize, session/new   answered at once
//   session/prompt            answered at once with end_turn
//   _bench/echo               answers with its own params as the result
//   _bench/stream             {sessionId, count, size, paced: 0|1}: that many session/update lines,
//                             then the answer
//
// Reads stdin to its end and exits with 0. Lines may have any length; a broken one gets no answer.

#include "agent/answers.hpp"
#include "agent/members.hpp"
#include "agent/update_stream.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace relay::bench {

namespace {

constexpr std::size_t kFirstBufferBytes = 256 * 1024;
constexpr std::string_view kAnswerStart = R"({"jsonrpc":"2.0","id":)";

std::string result_line(std::string_view id, std::string_view result) {
  std::string line(kAnswerStart);
  line.append(id).append(",\"result\":").append(result).append("}\n");
  return line;
}

/// Turns `{...,"params":P}` into `{"jsonrpc":"2.0","id":I,"result":P}` by writing the new start
/// over the old one, which is always longer. `line` ends with its newline.
void add_echo(char* line, std::size_t size, const Members& members, Answers& answers) {
  const std::string id(members.id);
  constexpr std::string_view kResult = ",\"result\":";
  const std::size_t start_size = kAnswerStart.size() + id.size() + kResult.size();
  const bool params_are_last =
      members.id.data() < line + members.params && members.method.data() < line + members.params;
  if (!params_are_last || start_size > members.params) {
    answers.add(result_line(members.id, "{}"));
    return;
  }
  char* const start = line + members.params - start_size;
  std::memcpy(start, kAnswerStart.data(), kAnswerStart.size());
  std::memcpy(start + kAnswerStart.size(), id.data(), id.size());
  std::memcpy(start + kAnswerStart.size() + id.size(), kResult.data(), kResult.size());
  answers.add_in_place({start, static_cast<std::size_t>(line + size - start)});
}

std::string new_session_result() {
  static int made = 0;
  return R"({"sessionId":"bench-)" + std::to_string(::getpid()) + "-" + std::to_string(++made) +
         "\"}";
}

void answer(char* line, std::size_t size, Answers& answers) {
  const std::string_view text(line, size);
  const Members members = find_members(text);
  if (members.id.empty() || members.method.empty()) return;
  if (members.method == "_bench/echo" && members.params != std::string_view::npos) {
    add_echo(line, size, members, answers);
  } else if (members.method == "session/prompt") {
    answers.add(result_line(members.id, R"({"stopReason":"end_turn"})"));
  } else if (members.method == "initialize") {
    answers.add(result_line(members.id, R"({"protocolVersion":1,"agentCapabilities":{}})"));
  } else if (members.method == "session/new") {
    answers.add(result_line(members.id, new_session_result()));
  } else if (members.method == "_bench/stream") {
    answers.flush();
    const UpdateStream stream{number_of(text, "\"count\"", 0), number_of(text, "\"size\"", 300),
                              number_of(text, "\"paced\"", 0) != 0};
    send_updates(stream, string_of(text, "\"sessionId\""));
    answers.add(result_line(members.id, "{}"));
  } else {
    std::string line_out(kAnswerStart);
    line_out.append(members.id);
    line_out.append(R"(,"error":{"code":-32601,"message":"Method not found"}})").append("\n");
    answers.add(std::move(line_out));
  }
}

}  // namespace

}  // namespace relay::bench

int main() {
  using relay::bench::Answers;
  // malloc and not a vector: pages that no message has used must not count as memory.
  std::size_t capacity = relay::bench::kFirstBufferBytes;
  char* buffer = static_cast<char*>(std::malloc(capacity));
  std::size_t used = 0;
  Answers answers;
  while (buffer != nullptr) {
    const ssize_t got = ::read(STDIN_FILENO, buffer + used, capacity - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::size_t searched = used;
    used += static_cast<std::size_t>(got);
    std::size_t begin = 0;
    while (void* newline = std::memchr(buffer + searched, '\n', used - searched)) {
      const auto end = static_cast<std::size_t>(static_cast<char*>(newline) - buffer) + 1;
      relay::bench::answer(buffer + begin, end - begin, answers);
      begin = end;
      searched = end;
    }
    answers.flush();
    used -= begin;
    if (begin > 0 && used > 0) std::memmove(buffer, buffer + begin, used);
    if (used == capacity) {
      capacity *= 2;
      buffer = static_cast<char*>(std::realloc(buffer, capacity));
    }
  }
  std::free(buffer);
  return 0;
}
