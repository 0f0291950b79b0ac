// Prompts: how a turn begins, what is said in it, how it goes on and how it ends.
#include "agent.hpp"
#include "effects.hpp"
#include "session_files.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <unistd.h>

namespace demo {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRememberedAnswer = 64 * 1024;
constexpr std::size_t kBatch = 64 * 1024;
constexpr std::uint64_t kFloodSize = 16;
constexpr std::string_view kChunkEnd = "\"}}}}\n";

// The text of a prompt; false when a block is not what the schema says.
bool prompt_text(const json::array& blocks, std::string& text) {
  for (const json::value& value : blocks) {
    const json::object* block = value.if_object();
    const json::string* type = block == nullptr ? nullptr : text_at(*block, "type");
    if (type == nullptr) return false;
    if (*type == "text") {
      const json::string* content = text_at(*block, "text");
      if (content == nullptr) return false;
      text += view(*content);
    } else if (*type == "resource_link") {
      const json::string* uri = text_at(*block, "uri");
      if (uri == nullptr) return false;
      text += "[" + std::string(view(*uri)) + "]";
    } else if (*type == "image" || *type == "audio" || *type == "resource") {
      text += "[" + std::string(view(*type)) + "]";
    } else {
      return false;
    }
  }
  return true;
}

std::string chunk_begin(const std::string& session_id) {
  return R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")" + session_id +
         R"(","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":")";
}

// A text of `size` bytes that begins with the number of the chunk, where it fits.
void append_numbered(std::string& out, std::uint64_t number, std::uint64_t size) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const auto length = static_cast<std::uint64_t>(end - digits);
  if (length < size) {
    out.append(digits, end);
    out += ' ';
    size -= length + 1;
  }
  out.append(size, 'x');
}

}  // namespace

void Agent::prompt(std::string_view id, const Object& params) {
  Session* session = open_session(id, params);
  if (session == nullptr) return;
  const json::value* blocks = params.if_contains("prompt");
  std::string text;
  if (blocks == nullptr || !blocks->is_array() || !prompt_text(blocks->get_array(), text)) {
    fail(id, kInvalidParams, "prompt must be an array of content blocks");
    return;
  }
  if (session->turn) {
    fail(id, kInvalidRequest, "The session is busy with another prompt");
    return;
  }
  session->turn.emplace();
  session->turn->request_id = id;
  session->remember(true, text);
  start(*session, text);
}

void Agent::start(Session& session, std::string_view text) {
  const Command command = parse_command(text);
  Turn& turn = *session.turn;
  turn.verb = command.verb;
  switch (command.verb) {
    case Verb::kEcho:
      echo(session, command.text);
      break;
    case Verb::kBadArguments:
      say(session, command.text);
      break;
    case Verb::kRecall:
      recall(session);
      break;
    case Verb::kHelp:
      say(session, help_text());
      break;
    case Verb::kChunks:
    case Verb::kFlood:
      turn.total = command.count;
      turn.size = command.verb == Verb::kFlood ? kFloodSize : command.size;
      turn.line_begin = chunk_begin(session.id);
      return;
    case Verb::kPermission:
      ask_permission(session, session.id);
      return;
    case Verb::kSubagent:
      subagent(session);
      return;
    case Verb::kTool:
      tool(session);
      break;
    case Verb::kSleep:
      turn.due = Clock::now() + std::chrono::milliseconds(command.count);
      return;
    case Verb::kExit:
      output_.flush();
      std::_Exit(static_cast<int>(command.count));
    case Verb::kOom:
      use_memory(session, command.count);
      break;
    case Verb::kStderr:
      write_stderr(command.text + "\n");
      say(session, "Written to stderr.");
      break;
    case Verb::kHuge: {
      const std::string begin = chunk_begin(session.id);
      const std::size_t frame = begin.size() + kChunkEnd.size() - 1;
      std::string& out = output_.buffer();
      out += begin;
      out.append(command.count > frame ? command.count - frame : 0, 'x');
      out += kChunkEnd;
      break;
    }
    case Verb::kGarbage:
      garbage(session);
      break;
    case Verb::kEnv:
      say(session, environment_text());
      break;
    case Verb::kCwd:
      say(session, "process: " + process_directory() + "\nsession: " + session.cwd + "\n");
      break;
    case Verb::kWrite:
      say(session, write_file(session.cwd, command.name, command.text));
      break;
    case Verb::kRead:
      say(session, read_file(session.cwd, command.name));
      break;
    case Verb::kCall:
      call_client(session, command);
      return;
    case Verb::kHang:
      output_.flush();
      while (true) ::pause();
    case Verb::kDup:
      duplicate(session);
      return;
  }
  end_turn(session, "end_turn");
}

void Agent::recall(Session& session) {
  std::string prompts;
  for (const HistoryEntry& entry : session.history) {
    if (entry.from_user) prompts += entry.text + "\n";
  }
  say(session, prompts);
}

void Agent::say(Session& session, std::string_view text, const char* kind) {
  std::string chunk = R"({"sessionUpdate":")";
  chunk += kind;
  chunk += R"(","content":{"type":"text","text":)";
  append_json_string(chunk, text);
  chunk += "}}";
  update(session.id, chunk);
  std::string& answer = session.turn->answer;
  answer += text.substr(0, kMaxRememberedAnswer - std::min(answer.size(), kMaxRememberedAnswer));
}

void Agent::echo(Session& session, std::string_view text) {
  std::string loud;
  if (session.style == "loud") {
    loud = text;
    for (char& c : loud) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    text = loud;
  }
  if (session.shows_thoughts) {
    update(session.id, R"({"sessionUpdate":"agent_thought_chunk",)"
                       R"("content":{"type":"text","text":"I shall echo this."}})");
  }
  // A chunk is a word with the blanks after it.
  while (!text.empty()) {
    const std::size_t blank = text.find_first_of(" \n", text.find_first_not_of(" \n"));
    const std::size_t end = std::min(text.find_first_not_of(" \n", blank), text.size());
    say(session, text.substr(0, end));
    text.remove_prefix(end);
  }
}

void Agent::end_turn(Session& session, std::string_view stop_reason) {
  Turn turn = std::move(*session.turn);
  session.turn.reset();
  close_open_request(turn);
  respond(turn.request_id, R"({"stopReason":")" + std::string(stop_reason) + R"("})");
  session.remember(false, std::move(turn.answer));
  session.touch();
  if (!options_.state.empty()) save_session(options_.state, session);
}

void Agent::close_open_request(Turn& turn) {
  if (turn.awaited_request == 0) return;
  output_.line(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":)" +
               std::to_string(turn.awaited_request) + "}}");
  turn.awaited_request = 0;
}

bool Agent::send_chunks(Session& session) {
  Turn& turn = *session.turn;
  // A flood looks at no input until it is over.
  const bool to_the_end = turn.verb == Verb::kFlood;
  std::string& out = output_.buffer();
  while (turn.sent < turn.total) {
    out += turn.line_begin;
    append_numbered(out, turn.sent++, turn.size);
    out += kChunkEnd;
    if (out.size() < kBatch) continue;
    output_.flush();
    if (!to_the_end) break;
  }
  return turn.sent == turn.total;
}

int Agent::work(Clock::time_point now) {
  int wait = -1;
  for (auto& [name, session] : sessions_) {
    if (!session.turn) continue;
    const Turn& turn = *session.turn;
    if (turn.verb == Verb::kChunks || turn.verb == Verb::kFlood) {
      if (send_chunks(session)) {
        end_turn(session, "end_turn");
      } else {
        wait = 0;
      }
    } else if (turn.verb == Verb::kSleep) {
      if (now >= turn.due) {
        say(session, "Slept.");
        end_turn(session, "end_turn");
      } else {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(turn.due - now).count();
        wait = wait < 0 ? static_cast<int>(left) : std::min(wait, static_cast<int>(left));
      }
    }
  }
  return wait;
}

}  // namespace demo
