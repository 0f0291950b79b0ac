#include "cli/replay/recording.hpp"

#include "cli/error_view.hpp"
#include "cli/json_access.hpp"
#include "cli/rpc.hpp"
#include "management/session_file.hpp"
#include "protocol/acp.hpp"
#include "protocol/relay_ids.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>
#include <string>

namespace relay::cli {
namespace {

namespace json = boost::json;
using storage::MessageRecord;
using storage::Origin;
// Not cli::MessageKind, which is about messages of this client.
using Kind = storage::MessageKind;

// $/cancel_request is in the log only as a request: infer_cancel() has it in either form.
constexpr std::array<std::string_view, 13> kNotPlayed = {
    "initialize",   "authenticate",    "logout",          "session/new",   "session/load",
    "session/list", "session/resume",  "session/history", "session/close", "session/delete",
    "session/fork", "session/respond", "$/cancel_request"};

bool is_played(std::string_view method) {
  return std::find(kNotPlayed.begin(), kNotPlayed.end(), method) == kNotPlayed.end();
}

bool is_cancelled(const json::object& answer) {
  const json::object* result = object_at(answer, "result");
  if (result == nullptr) return false;
  const json::object* outcome = object_at(*result, "outcome");
  return string_at(*result, "action") == "cancel" ||
         (outcome != nullptr && string_at(*outcome, "outcome") == "cancelled");
}

json::object params_of(const json::object& message) {
  const json::object* params = object_at(message, "params");
  return params != nullptr ? *params : json::object();
}

class Reader {
 public:
  void head(const storage::SessionRecord& session) {
    recording_.names.sessions = {session.id.value(), session.agent_session_id};
    recording_.names.working_directory = session.working_directory;
  }

  void message(const MessageRecord& record) {
    const std::optional<json::object> parsed = parse_object(record.body.view());
    const json::object message = parsed ? *parsed : json::object();
    pause_ = time_ ? std::max(record.time - *time_, std::chrono::milliseconds(0))
                   : std::chrono::milliseconds(0);
    time_ = record.time;
    if (record.kind == Kind::kResponse) {
      const bool to_client = record.to_client;
      to_client ? answered(record, message) : answer(record, message);
    } else if (record.origin == Origin::kClient) {
      from_client(record, message);
    } else if (record.origin == Origin::kAgent) {
      from_agent(record, message);
    }
  }

  void gap() { recording_.has_gaps = true; }
  Recording take() && { return std::move(recording_); }

 private:
  struct Open {
    std::string id;  // JSON text
    std::size_t step;
  };

  void from_client(const MessageRecord& record, const json::object& message) {
    json::object params = params_of(message);
    if (record.method == "session/new") {
      if (const json::array* servers = array_at(params, "mcpServers")) {
        recording_.mcp_servers = *servers;
      }
      return;
    }
    if (!is_played(record.method)) return;
    if (record.method == "session/cancel") {
      if (!running_turn()) return;  // it came too late
      const std::string id(string_at(params, "sessionId"));
      if (is_child_session_id(id)) {  // a sub-agent's turn ends, and this one goes on
        cancelled_children_.insert(id);
        return;
      }
    }
    RecordedStep step;
    step.method = record.method;
    // In the relay's own dialects cancelling is a request, too.
    step.is_request = record.kind == Kind::kRequest && record.method != "session/cancel";
    step.pause = pause_;
    params.erase("sessionId");
    if (record.method == "session/prompt" && !params.contains("prompt")) {
      if (const json::array* content = array_at(params, "content")) {
        json::array blocks = *content;
        params.erase("content");
        params["prompt"] = std::move(blocks);
      }
    }
    step.params = std::move(params);
    // A prompt that comes while another one runs has to wait for its end anyway.
    const auto turn = running_turn();
    if (!turn || record.method == "session/prompt") {
      if (step.is_request) open_.push_back({record.rpc_id, recording_.steps.size()});
      recording_.steps.push_back(std::move(step));
      return;
    }
    const std::size_t at = put_in_turn(*turn, std::move(step));
    if (recording_.steps[at].is_request) open_.push_back({record.rpc_id, at});
  }

  void from_agent(const MessageRecord& record, const json::object& message) {
    if (!is_agents_word(record.method)) return;
    if (record.kind == Kind::kNotification) return recording_.transcript.notification(message);
    recording_.transcript.request(message);
    asked_[record.rpc_id] = recording_.questions.size();
    recording_.questions.push_back({record.method, params_of(message), {}, false});
  }

  // The answer to a request of the agent.
  void answer(const MessageRecord& record, const json::object& message) {
    const auto found = asked_.find(record.rpc_id);
    if (found == asked_.end()) return;
    RecordedQuestion& question = recording_.questions[found->second];
    asked_.erase(found);
    const std::string asker(string_at(question.params, "sessionId"));
    question.at_cancel = record.origin != Origin::kClient && is_cancelled(message) &&
                         !cancelled_children_.contains(asker);
    for (const char* member : {"result", "error"}) {
      if (const json::value* value = message.if_contains(member)) question.answer[member] = *value;
    }
  }

  // The answer to a request of the client.
  void answered(const MessageRecord& record, const json::object& message) {
    const auto found = std::find_if(open_.begin(), open_.end(),
                                    [&](const Open& open) { return open.id == record.rpc_id; });
    if (found == open_.end()) return;
    const std::size_t step = found->step;
    const std::string method = recording_.steps[step].method;
    if (method == "session/prompt") {
      infer_cancel(step, message);
      cancelled_children_.clear();
    }
    // Steps may have moved.
    std::erase_if(open_,
                  [&](const Open& open) { return open.id == record.rpc_id && open.step == step; });
    recording_.transcript.response(method, message);
  }

  void infer_cancel(std::size_t prompt, const json::object& message) {
    const bool is_running = running_turn() == prompt;
    if (!is_running) return;  // it was cancelled in the queue, with the one before
    RecordedStep step;
    step.is_request = false;
    step.pause = pause_;
    const json::object* error = object_at(message, "error");
    const json::value* code = error != nullptr ? error->if_contains("code") : nullptr;
    if (code != nullptr && code->is_int64() && code->get_int64() == acp::kRequestCancelled) {
      step.method = "$/cancel_request";
      step.cancels = prompt;
    } else if (stop_of(message) == "cancelled") {
      step.method = "session/cancel";
    } else {
      return;
    }
    const auto& steps = recording_.steps;
    for (std::size_t at = prompt + 1; at < steps.size() && steps[at].in_turn; ++at) {
      if (steps[at].method == step.method) return;
    }
    put_in_turn(prompt, std::move(step));
  }

  // The step of the prompt that the agent works on.
  std::optional<std::size_t> running_turn() const {
    for (const Open& open : open_) {
      if (recording_.steps[open.step].method == "session/prompt") return open.step;
    }
    return std::nullopt;
  }

  // Behind what was done in this turn already, before prompts that wait for its end.
  std::size_t put_in_turn(std::size_t turn, RecordedStep step) {
    step.in_turn = true;
    step.after = recording_.transcript.said_in_turn();
    auto& steps = recording_.steps;
    std::size_t at = turn + 1;
    while (at < steps.size() && steps[at].in_turn) ++at;
    steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(at), std::move(step));
    for (Open& open : open_) {
      if (open.step >= at) ++open.step;
    }
    return at;
  }

  Recording recording_;
  std::vector<Open> open_;  // requests of the client without an answer, in their order
  std::map<std::string, std::size_t> asked_;  // questions without an answer, by id
  std::set<std::string> cancelled_children_;  // in this turn
  std::optional<WallTime> time_;
  std::chrono::milliseconds pause_{0};
};

}  // namespace

Outcome<Recording> read_recording(std::string_view text) {
  management::SessionFileReader lines(std::numeric_limits<std::size_t>::max());
  Reader reader;
  while (!text.empty()) {
    auto entry = lines.take(management::take_line(text));
    if (!entry) return Failure{ExitCode::kError, explain(entry.error())};
    if (!*entry) continue;
    if (lines.skipped() || std::holds_alternative<storage::Gap>(**entry)) reader.gap();
    if (const auto* head = std::get_if<storage::SessionRecord>(&**entry)) reader.head(*head);
    if (const auto* message = std::get_if<MessageRecord>(&**entry)) reader.message(*message);
  }
  const auto whole = lines.finish();
  if (!whole) return Failure{ExitCode::kError, explain(whole.error())};
  return std::move(reader).take();
}

}  // namespace relay::cli
