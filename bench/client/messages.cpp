#include "client/messages.hpp"

#include "common/failure.hpp"

#include <charconv>

namespace relay::bench {

namespace {

constexpr std::size_t kHeadBytes = 160;

std::string padded(std::string start, std::string_view end, std::size_t size) {
  const std::size_t fixed = start.size() + end.size();
  if (size > fixed) start.append(size - fixed, 'x');
  return start.append(end);
}

std::string start_of(std::uint64_t id, std::string_view method) {
  std::string text = R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")";
  return text.append(method).append(R"(","params":)");
}

}  // namespace

std::string make_request(std::uint64_t id, std::string_view method, std::string_view params) {
  return start_of(id, method).append(params).append("}");
}

std::string make_echo(std::uint64_t id, std::string_view session_id, std::size_t size) {
  std::string start = start_of(id, "_bench/echo");
  start.append(R"({"sessionId":")").append(session_id).append(R"(","payload":")");
  return padded(std::move(start), "\"}}", size);
}

std::string make_prompt(std::uint64_t id, std::string_view session_id,
                        std::string_view prompt_member, std::size_t size) {
  std::string start = start_of(id, "session/prompt");
  start.append(R"({"sessionId":")").append(session_id).append("\",\"").append(prompt_member);
  start.append(R"(":[{"type":"text","text":")");
  return padded(std::move(start), "\"}]}}", size);
}

std::uint64_t response_id(std::string_view json) {
  const std::string_view head = json.substr(0, kHeadBytes);
  if (head.find("\"method\":") != std::string_view::npos) return 0;
  if (head.find("\"error\":") != std::string_view::npos) {
    fail("error answer: " + std::string(json.substr(0, 2000)));
  }
  std::size_t at = head.find("\"id\":");
  if (at == std::string_view::npos) at = json.rfind("\"id\":");
  if (at == std::string_view::npos) return 0;
  std::uint64_t id = 0;
  std::from_chars(json.data() + at + 5, json.data() + json.size(), id);
  return id;
}

bool is_update(std::string_view json) {
  return json.substr(0, kHeadBytes).find("\"session/update\"") != std::string_view::npos;
}

std::string open_session(Connection& connection) {
  std::string answer;
  if (connection.framing() == Framing::kLines) {
    connection.call("initialize", R"({"protocolVersion":1,"clientCapabilities":{}})");
    answer = connection.call("session/new", R"({"cwd":"/tmp","mcpServers":[]})");
  } else {
    answer = connection.call("session/new", R"({"workingDirectory":"/tmp"})");
  }
  constexpr std::string_view kKey = "\"sessionId\":\"";
  const std::size_t begin = answer.find(kKey);
  if (begin == std::string::npos) fail("session/new gave no sessionId: " + answer);
  const std::size_t value = begin + kKey.size();
  return answer.substr(value, answer.find('"', value) - value);
}

}  // namespace relay::bench
