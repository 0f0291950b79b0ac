// The commands that need more than a line.
#include "agent.hpp"
#include "effects.hpp"

namespace demo {

namespace {

namespace json = boost::json;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

constexpr std::string_view kToolSteps[] = {
    R"({"sessionUpdate":"plan","entries":[)"
    R"({"content":"Read the file","priority":"high","status":"in_progress"},)"
    R"({"content":"Change the greeting","priority":"medium","status":"pending"}]})",
    R"({"sessionUpdate":"tool_call","toolCallId":"call-1","title":"Change hello.txt",)"
    R"("kind":"edit","status":"pending","locations":[{"path":"/hello.txt","line":1}],)"
    R"("rawInput":{"path":"/hello.txt"}})",
    R"({"sessionUpdate":"tool_call_update","toolCallId":"call-1","status":"in_progress"})",
    R"({"sessionUpdate":"tool_call_update","toolCallId":"call-1","status":"completed","content":[)"
    R"({"type":"diff","path":"/hello.txt","oldText":"hello\n","newText":"hello, relay\n"},)"
    R"({"type":"content","content":{"type":"text","text":"1 line changed"}}],)"
    R"("rawOutput":{"changed":1}})",
    R"({"sessionUpdate":"plan","entries":[)"
    R"({"content":"Read the file","priority":"high","status":"completed"},)"
    R"({"content":"Change the greeting","priority":"medium","status":"completed"}]})",
};

constexpr std::string_view kGarbage[] = {
    "Welcome to a program that prints banners on stdout",
    "",
    "{\"jsonrpc\":\"2.0\",\"method\":\"session/upd",
    "42",
    "[]",
    "{}",
    "null",
    "{\"jsonrpc\":\"1.0\",\"method\":\"session/update\",\"params\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"fs/read_text_file\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":8,\"result\":{}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"method\":\"b\"}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"bad \xff\xfe utf-8\"}",
    "\x01\x02\x03",
};

}  // namespace

std::uint64_t Agent::send_request(std::string_view method, std::string_view params) {
  const std::uint64_t id = ++last_request_;
  std::string& out = output_.buffer();
  out += R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)";
  append_json_string(out, method);
  out += ",\"params\":";
  out += params;
  out += "}\n";
  return id;
}

void Agent::ask_permission(Session& session, std::string_view asker) {
  session.turn->awaited_request =
      send_request("session/request_permission",
                   R"({"sessionId":")" + std::string(asker) +
                       R"(","toolCall":{"toolCallId":"call-1","title":"Change hello.txt",)"
                       R"("kind":"edit","status":"pending"},"options":[)"
                       R"({"optionId":"allow","name":"Allow","kind":"allow_once"},)"
                       R"({"optionId":"reject","name":"Reject","kind":"reject_once"}]})");
}

void Agent::call_client(Session& session, const Command& command) {
  std::string params = command.text.empty() ? R"({"sessionId":"$SESSION"})" : command.text;
  replace_all(params, "$SESSION", session.id);
  // A raw newline would end the message; in JSON it is only a blank.
  replace_all(params, "\n", " ");
  json::error_code failure;
  json::parse(params, failure);
  if (failure) {
    say(session, "The params are not JSON: " + failure.message());
    end_turn(session, "end_turn");
    return;
  }
  session.turn->awaited_request = send_request(command.name, params);
}

void Agent::handle_response(const Envelope& envelope) {
  for (auto& [name, session] : sessions_) {
    if (!session.turn || session.turn->awaited_request == 0) continue;
    if (std::to_string(session.turn->awaited_request) != envelope.id) continue;
    session.turn->awaited_request = 0;
    const bool failed = !envelope.error.empty();
    const std::string_view raw = failed ? envelope.error : envelope.result;
    if (failed || session.turn->verb == Verb::kCall) {
      say(session, (failed ? "Error: " : "Result: ") + std::string(raw));
      end_turn(session, "end_turn");
      return;
    }
    json::error_code failure;
    const json::value result = json::parse({raw.data(), raw.size()}, failure);
    const json::value* outcome =
        failure ? nullptr : result.find_pointer("/outcome/outcome", failure);
    if (outcome != nullptr && *outcome == "cancelled") {
      say(session, "Permission: cancelled");
      end_turn(session, "cancelled");
      return;
    }
    const json::value* option = outcome == nullptr || *outcome != "selected"
                                    ? nullptr
                                    : result.find_pointer("/outcome/optionId", failure);
    say(session, option != nullptr && option->is_string()
                     ? "Permission: " + std::string(option->get_string())
                     : "Permission: the answer makes no sense: " + std::string(raw));
    end_turn(session, "end_turn");
    return;
  }
}

void Agent::tool(Session& session) {
  for (const std::string_view step : kToolSteps) update(session.id, step);
  say(session, "Done: 1 line changed.");
}

void Agent::subagent(Session& session) {
  if (!knows_subagents_) {
    say(session, "The client does not show sub-agents.");
    end_turn(session, "end_turn");
    return;
  }
  const std::string helper = session.id + "-helper";
  if (!session.has_helper) {
    update(session.id, R"({"sessionUpdate":"subagent_update","sessionId":")" + helper +
                           R"(","title":"Helper","capabilities":{"cancel":{}}})");
    session.has_helper = true;
  }
  update(helper, R"({"sessionUpdate":"agent_message_chunk",)"
                 R"("content":{"type":"text","text":"The helper asks. "}})");
  update(session.id, R"({"sessionUpdate":"session_message","messageId":"message-1",)"
                     R"("senderSessionId":")" +
                         helper + R"(","recipientSessionId":")" + session.id + R"("})");
  ask_permission(session, helper);
}

void Agent::garbage(Session& session) {
  for (const std::string_view line : kGarbage) output_.line(line);
  say(session, "That was garbage.");
}

void Agent::duplicate(Session& session) {
  const std::string id = session.turn->request_id;
  respond(R"("no-such-request")", "{}");
  end_turn(session, "end_turn");
  respond(id, R"({"stopReason":"end_turn"})");
}

void Agent::use_memory(Session& session, std::uint64_t mebibytes) {
  if (mebibytes == 0 && !has_memory_limit()) {
    say(session, "No memory limit is set for this agent; /oom MIB uses that much.");
    return;
  }
  output_.flush();
  const bool allocated = touch_memory(mebibytes);
  say(session, allocated ? "Still alive." : "The system gave no more memory.");
}

}  // namespace demo
