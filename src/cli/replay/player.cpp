#include "cli/replay/player.hpp"

#include "cli/json_access.hpp"
#include "cli/rpc.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrompt = "session/prompt";

// What the agent is told of the client: what the recorded one was asked for.
json::object capabilities(const Recording& recording) {
  bool disk = false;
  bool terminal = false;
  for (const RecordedQuestion& question : recording.questions) {
    disk = disk || question.method.starts_with("fs/");
    terminal = terminal || question.method.starts_with("terminal/");
  }
  json::object files;
  files["readTextFile"] = disk;
  files["writeTextFile"] = disk;
  json::object out;
  out["fs"] = std::move(files);
  out["terminal"] = terminal;
  return out;
}

}  // namespace

Player::Player(Recording recording, PlayerOptions options)
    : recording_(std::move(recording)),
      options_(std::move(options)),
      answers_(recording_.questions) {
  json::object info;
  info["name"] = "acp-relay replay";
  info["version"] = RELAY_VERSION;
  json::object params;
  params["protocolVersion"] = 1;
  params["clientCapabilities"] = capabilities(recording_);
  params["clientInfo"] = std::move(info);
  request("initialize", std::move(params), kNoStep);
}

TranscriptNames Player::names() const { return {{session_}, options_.working_directory}; }

bool Player::heard_all() const {
  const auto& recorded = recording_.transcript.turns();
  const auto& replayed = transcript_.turns();
  if (recorded.empty() || !recorded.back().stop.empty()) return true;
  if (replayed.size() != recorded.size()) return replayed.size() > recorded.size();
  return replayed.back().events.size() >= recorded.back().events.size();
}

std::vector<std::string> Player::take_lines() { return std::exchange(lines_, {}); }

std::int64_t Player::request(const std::string& method, json::object params, std::size_t step) {
  const std::int64_t id = next_id_++;
  lines_.push_back(request_text(id, method, std::move(params)));
  pending_[id] = {method, step};
  return id;
}

void Player::notify(const std::string& method, json::object params) {
  json::object message;
  message["jsonrpc"] = "2.0";
  message["method"] = method;
  message["params"] = std::move(params);
  lines_.push_back(json::serialize(message));
}

void Player::reply(const json::value& id, json::object member) {
  json::object message;
  message["jsonrpc"] = "2.0";
  message["id"] = id;
  for (auto& [key, value] : member) message[key] = std::move(value);
  lines_.push_back(json::serialize(message));
}

void Player::take(std::string_view line) {
  const std::optional<json::object> message = parse_object(line);
  if (!message) return;
  // What comes behind the last answer still counts, and nothing more is asked.
  if (done_ && kind_of(*message) != MessageKind::kNotification) return;
  switch (kind_of(*message)) {
    case MessageKind::kResponse:
      return response(*message);
    case MessageKind::kRequest:
      return question(*message);
    case MessageKind::kNotification:
      if (!is_agents_word(string_at(*message, "method"))) return;
      transcript_.notification(*message);
      return advance();
    case MessageKind::kOther:
      return;
  }
}

void Player::response(const json::object& message) {
  const json::value& id = message.at("id");
  const auto found = id.is_int64() ? pending_.find(id.get_int64()) : pending_.end();
  if (found == pending_.end()) return;
  const Pending answered = found->second;
  pending_.erase(found);
  if (answered.step != kNoStep) {
    transcript_.response(answered.method, message);
    return advance();
  }
  const Outcome<json::object> result = result_of(message);
  if (!result) {
    failure_ = result.error();
    failure_->text = "the agent refuses " + answered.method + ": " + failure_->text;
    done_ = true;
    return;
  }
  if (answered.method == "initialize") {
    json::object params;
    params["cwd"] = options_.working_directory;
    params["mcpServers"] = recording_.mcp_servers;
    request("session/new", std::move(params), kNoStep);
    return;
  }
  session_ = string_at(*result, "sessionId");
  if (session_.empty()) {
    failure_ = Failure{ExitCode::kError, "the agent answered session/new without a sessionId"};
    done_ = true;
    return;
  }
  advance();
}

void Player::question(const json::object& message) {
  transcript_.request(message);
  const json::value id = message.at("id");
  const json::object* params = object_at(message, "params");
  ReplayAnswer answer =
      answers_.answer(string_at(message, "method"), params != nullptr ? *params : json::object());
  if (!answer.note.empty()) notes_.push_back(answer.note);
  // What the relay answered for a client that cancelled is answered by the one that cancels here.
  if (answer.at_cancel && cancel_is_due()) {
    held_.emplace_back(id, std::move(answer.member));
    return advance();
  }
  advance();
  reply(id, std::move(answer.member));
}

bool Player::turn_runs() const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [](const auto& entry) { return entry.second.method == kPrompt; });
}

bool Player::cancel_is_due() const {
  for (std::size_t at = step_; at < recording_.steps.size() && recording_.steps[at].in_turn; ++at) {
    const std::string& method = recording_.steps[at].method;
    if (method == "session/cancel" || method == "$/cancel_request") return true;
  }
  return false;
}

// A turn that has ended needs no cancelling any more.
bool Player::is_skipped(const RecordedStep& step) {
  const bool cancels = step.method == "session/cancel" || step.method == "$/cancel_request";
  if (!step.in_turn || !cancels || turn_runs()) return false;
  notes_.push_back("a turn ended before it was cancelled");
  return true;
}

bool Player::is_due(const RecordedStep& step) {
  if (step.in_turn && turn_runs()) return transcript_.said_in_turn() >= step.after;
  return pending_.empty();
}

void Player::advance() {
  pause_.reset();
  while (!session_.empty() && !done_) {
    if (step_ == recording_.steps.size()) {
      done_ = played_all_ = pending_.empty();
      return;
    }
    const RecordedStep& step = recording_.steps[step_];
    if (is_skipped(step)) {
      ++step_;
      waited_ = false;
      continue;
    }
    if (!is_due(step)) return;
    if (options_.as_recorded && !waited_ && step.pause.count() > 0) {
      pause_ = step.pause;
      return;
    }
    waited_ = false;
    play(step_++);
  }
}

void Player::resume() {
  waited_ = true;
  advance();
}

void Player::play(std::size_t index) {
  const RecordedStep& step = recording_.steps[index];
  json::object params = step.params;
  if (step.method == "$/cancel_request") {
    const auto target = step.cancels ? sent_.find(*step.cancels) : sent_.end();
    if (target == sent_.end()) return;
    params = {};
    params["requestId"] = target->second;
    notify(step.method, std::move(params));
  } else {
    params["sessionId"] = session_;
    if (step.is_request) {
      sent_[index] = request(step.method, std::move(params), index);
      return;
    }
    notify(step.method, std::move(params));
  }
  if (cancel_is_due()) return;
  for (auto& [id, member] : std::exchange(held_, {})) reply(id, std::move(member));
}

void Player::lost(std::string_view error_type) {
  if (done_) return;
  done_ = true;
  if (session_.empty()) {
    failure_ = Failure{ExitCode::kError, "the agent ended before there was a session"};
    return;
  }
  const bool is_last_turn = step_ == recording_.steps.size() && turn_runs() && pending_.size() == 1;
  json::object data;
  data["error_type"] = error_type;
  json::object error;
  error["data"] = std::move(data);
  json::object message;
  message["error"] = std::move(error);
  for (const auto& [id, waiting] : std::exchange(pending_, {})) {
    transcript_.response(waiting.method, message);
  }
  played_all_ = is_last_turn && ended_as_recorded();
}

// The turn that was played last.
bool Player::ended_as_recorded() const {
  const auto& recorded = recording_.transcript.turns();
  const auto& replayed = transcript_.turns();
  return replayed.size() <= recorded.size() &&
         recorded[replayed.size() - 1].stop == replayed.back().stop;
}

}  // namespace relay::cli
