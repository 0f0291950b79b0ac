#include "bridge/testing/fake_relay.hpp"

#include "protocol/rpc.hpp"

namespace relay::bridge::testing {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

json::object object_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->as_object() : json::object();
}

std::string text_of_prompt(const json::object& params) {
  return text_at(params.at("prompt").as_array().at(0).as_object(), "t");
}

std::string marked(std::int64_t number, const std::string& rest) {
  return R"({"_meta":{"acp-relay/seq":)" + std::to_string(number) + "}" +
         (rest.empty() ? "" : "," + rest) + "}";
}

}  // namespace

void FakeRelay::receive(const std::string& text) {
  received_.push_back(text);
  const json::object message = json::parse(text).as_object();
  const std::string method = text_at(message, "method");
  const json::object params = object_at(message, "params");
  const json::value* id = message.if_contains("id");
  if (method.empty()) return answer(json::serialize(*id), message);
  if (id != nullptr) return request(json::serialize(*id), method, params);
  if (method == "session/cancel") {
    cancel(text_at(params, "sessionId"));
  } else {
    told_.push_back("note " + method);
  }
}

void FakeRelay::request(const std::string& id, const std::string& method,
                        const json::object& params) {
  const std::string session = text_at(params, "sessionId");
  if (method == "initialize") {
    greeted_ = true;
    return send(rpc::result(
        id,
        R"({"protocolVersion":1,"_meta":{"acp-relay":{"version":"1","isolation":"process"}}})"));
  }
  if (!greeted_) return send(rpc::plain_error(id, -32600, "not initialized"));
  if (method == "session/new" || method == "session/fork") {
    const std::string made = "sess_" + std::to_string(sessions_.size() + 1);
    sessions_[made];
    attached_.insert(made);
    return send(rpc::result(id, R"({"sessionId":")" + made + R"("})"));
  }
  if (!sessions_.contains(session)) return send(rpc::plain_error(id, -32002, "unknown session"));
  if (method == "session/resume") return resume(session, id, params);
  if (method == "session/load") return load(session, id);
  if (!attached_.contains(session)) return send(rpc::plain_error(id, -32603, "not attached"));
  if (method == "session/prompt") return prompt(session, id, text_of_prompt(params));
  send(rpc::plain_error(id, -32601, "unknown method"));
}

void FakeRelay::log(const std::string& session, std::string text, bool question, Hidden hidden) {
  Session& known = sessions_.at(session);
  known.log.push_back({known.last, text, question});
  if (hidden == Hidden::kFromPrompter) return;
  if (attached_.contains(session)) send(std::move(text));
}

void FakeRelay::say(const std::string& session, const std::string& text) {
  const std::int64_t number = ++sessions_.at(session).last;
  log(session, rpc::notification(
                   "session/update",
                   marked(number, R"("sessionId":")" + session + R"(","text":")" + text + "\"")));
}

void FakeRelay::finish(const std::string& session, const std::string& reason) {
  Session& known = sessions_.at(session);
  known.last += 2;  // numbers have holes
  const std::string id = std::exchange(known.prompt_id, {});
  log(session, rpc::result(id, marked(known.last, R"("stopReason":")" + reason + "\"")));
}

// "ask..." asks for permission, "wait..." ends when it is cancelled, others end by themselves.
void FakeRelay::prompt(const std::string& session, const std::string& id, const std::string& text) {
  told_.push_back("prompt " + text);
  Session& known = sessions_.at(session);
  known.seen.insert(id);
  known.prompt_id = id;
  const std::int64_t echoed = ++known.last;
  log(session,
      rpc::notification(
          "session/update",
          marked(echoed,
                 R"("sessionId":")" + session +
                     R"(","update":{"sessionUpdate":"user_message_chunk","content":{"t":")" + text +
                     "\"}}")),
      false, Hidden::kFromPrompter);
  say(session, text + " 1");
  say(session, text + " 2");
  if (text.starts_with("ask")) {
    known.question_id = std::to_string(next_question_++);
    const std::int64_t number = ++known.last;
    known.question =
        rpc::request(known.question_id, "session/request_permission",
                     marked(number, R"("sessionId":")" + session + R"(","ask":")" + text + "\""));
    log(session, known.question, true);
  } else if (!text.starts_with("wait")) {
    finish(session, "end_turn");
  }
}

void FakeRelay::answer(const std::string& id, const json::object& message) {
  for (auto& [session, known] : sessions_) {
    if (known.question_id != id || known.question.empty()) continue;
    told_.push_back("answer " + json::serialize(message.at("result")));
    known.question.clear();
    say(session, "allowed");
    finish(session, "end_turn");
    return;
  }
}

void FakeRelay::cancel(const std::string& session) {
  told_.push_back("cancel");
  if (!sessions_.contains(session) || sessions_.at(session).prompt_id.empty()) return;
  sessions_.at(session).question.clear();
  say(session, "stopping");
  finish(session, "cancelled");
}

void FakeRelay::resume(const std::string& session, const std::string& id,
                       const json::object& params) {
  if (refuses_resume) return send(rpc::plain_error(id, -32603, "no agent starts"));
  attached_.insert(session);
  const Session& known = sessions_.at(session);
  const json::object meta = object_at(params, "_meta");
  std::string received;
  if (const json::value* ids = meta.if_contains("acp-relay/requests")) {
    for (const json::value& one : ids->as_array()) {
      const std::string spelled = json::serialize(one);
      if (!known.seen.contains(spelled)) continue;
      received += (received.empty() ? "" : ",") + spelled;
    }
  }
  // The result has a number of its own: what is replayed lies below it.
  send(rpc::result(id, R"({"_meta":{"acp-relay/seq":)" + std::to_string(known.last) +
                           R"(,"acp-relay/requests":[)" + received + "]}}"));
  const json::value* after = meta.if_contains("acp-relay/after");
  if (after != nullptr) {
    for (const Entry& entry : known.log) {
      if (entry.number > after->as_int64() && !entry.question) send(entry.text);
    }
  }
  if (!known.question.empty()) send(known.question);
}

void FakeRelay::load(const std::string& session, const std::string& id) {
  attached_.insert(session);
  const Session& known = sessions_.at(session);
  for (const Entry& entry : known.log) {
    if (!entry.question && entry.text.find("\"method\"") != std::string::npos) send(entry.text);
  }
  send(rpc::result(id, marked(known.last, "")));
  if (!known.question.empty()) send(known.question);
}

void FakeRelay::cut() {
  out_.clear();
  received_.clear();
  attached_.clear();
  greeted_ = false;
}

void FakeRelay::restart() {
  cut();
  next_question_ = 1;
  for (auto& [session, known] : sessions_) {
    known.question.clear();
    if (known.prompt_id.empty()) continue;
    const std::string id = std::exchange(known.prompt_id, {});
    known.log.push_back({++known.last, rpc::plain_error(id, -32603, "the relay was restarted")});
  }
}

}  // namespace relay::bridge::testing
