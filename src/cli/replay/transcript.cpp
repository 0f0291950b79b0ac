#include "cli/replay/transcript.hpp"

#include "base/wall_time.hpp"
#include "cli/json_access.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> kIdKeys = {"toolCallId", "messageId", "terminalId",
                                                     "elicitationId", "requestId"};
constexpr std::array<std::string_view, 6> kTimeKeys = {"timestamp", "createdAt",   "updatedAt",
                                                       "startedAt", "completedAt", "time"};

// A session id of an agent may be "1"; such a one is no session id wherever it stands.
constexpr std::size_t kUnmistakable = 8;

template <std::size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

class Normaliser {
 public:
  Normaliser(const TranscriptNames& names, std::vector<std::string>& ids)
      : names_(names), ids_(ids) {}

  json::value value(const json::value& from, std::string_view key = {}) {
    if (is_one_of(key, kTimeKeys) && (from.is_number() || from.is_string())) return "<time>";
    if (const json::string* text = from.if_string()) return string(std::string(*text), key);
    if (const json::array* array = from.if_array()) {
      json::array out;
      for (const json::value& item : *array) out.push_back(value(item));
      return out;
    }
    if (const json::object* object = from.if_object()) return members(*object);
    return from;
  }

 private:
  json::value string(std::string text, std::string_view key) {
    if (is_one_of(key, kIdKeys) || is_uuid(text)) return numbered(text);
    if (read_rfc3339(text)) return "<time>";
    for (const std::string& session : names_.sessions) {
      if (key.ends_with("essionId") && text == session) return "<session>";
      if (session.size() >= kUnmistakable) replace_all(text, session, "<session>");
    }
    if (names_.working_directory.size() > 1) replace_all(text, names_.working_directory, "<cwd>");
    return json::value(text);
  }
  json::value members(const json::object& from) {
    json::object out;
    for (const auto& [key, member] : from) {
      const std::string_view name(key.data(), key.size());
      if (name.starts_with("acp-relay")) continue;
      json::value made = value(member, name);
      const json::object* object = made.if_object();
      if (name == "_meta" && object != nullptr && object->empty()) continue;
      out[key] = std::move(made);
    }
    return out;
  }
  json::value numbered(const std::string& id) {
    auto found = std::find(ids_.begin(), ids_.end(), id);
    if (found == ids_.end()) found = ids_.insert(ids_.end(), id);
    return json::value("<id " + std::to_string(found - ids_.begin() + 1) + ">");
  }

  const TranscriptNames& names_;
  std::vector<std::string>& ids_;
};

// The text of a chunk of text, which may be joined with its neighbours.
json::string* chunk_text(json::value& event) {
  json::object& message = event.as_object();
  if (string_at(message, "what") != "session/update") return nullptr;
  json::object* body = message.at("body").if_object();
  json::value* update = body != nullptr ? body->if_contains("update") : nullptr;
  json::object* object = update != nullptr ? update->if_object() : nullptr;
  if (object == nullptr) return nullptr;
  const std::string_view kind = string_at(*object, "sessionUpdate");
  if (kind != "agent_message_chunk" && kind != "agent_thought_chunk") return nullptr;
  json::value* content = object->if_contains("content");
  if (content == nullptr || !content->is_object()) return nullptr;
  if (string_at(content->get_object(), "type") != "text") return nullptr;
  json::value* text = content->get_object().if_contains("text");
  return text != nullptr ? text->if_string() : nullptr;
}

// Adds a chunk's text to the event before, when that is the same but for the text.
bool join(json::value& before, json::value& event) {
  json::string* const text = chunk_text(event);
  json::string* const text_before = chunk_text(before);
  if (text == nullptr || text_before == nullptr) return false;
  json::string added = std::move(*text);
  json::string first = std::move(*text_before);
  *text = *text_before = "";
  const bool is_same = before == event;
  if (is_same) first.append(added);
  *text_before = std::move(first);
  *text = std::move(added);
  return is_same;
}

// Of an error, what does not depend on the dialect and the host.
json::value plain_error(const json::object& error) {
  json::object out;
  const json::object* data = object_at(error, "data");
  const std::string_view type = data != nullptr ? string_at(*data, "error_type") : "";
  if (!type.empty()) {
    out["error_type"] = type;
    return out;
  }
  if (const json::value* code = error.if_contains("code")) out["code"] = *code;
  out["message"] = string_at(error, "message");
  return out;
}

// Whether a chunk of text is the beginning of another one.
bool is_beginning(json::value recorded, json::value replayed) {
  json::string* const text = chunk_text(recorded);
  json::string* const longer = chunk_text(replayed);
  if (text == nullptr || longer == nullptr) return false;
  if (!std::string_view(*longer).starts_with(std::string_view(*text))) return false;
  *longer = *text;
  return recorded == replayed;
}

// Two long texts from shortly before they part.
std::pair<std::string, std::string> around(const std::string& left, const std::string& right) {
  constexpr std::size_t kBefore = 40;
  constexpr std::size_t kShown = 240;
  const auto [end, ignored] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  const auto common = static_cast<std::size_t>(end - left.begin());
  const std::size_t from = common > kShown / 2 ? common - kBefore : 0;
  const auto cut = [from](const std::string& text) {
    std::string out = from > 0 ? "..." : "";
    out += text.substr(std::min(from, text.size()), kShown);
    return from + kShown < text.size() ? out + "..." : out;
  };
  return {cut(left), cut(right)};
}

}  // namespace

bool is_agents_word(std::string_view method) {
  return !method.starts_with("_acp-relay/") && method != "$/cancel_request";
}

std::string stop_of(const json::object& response) {
  if (const json::object* error = object_at(response, "error")) {
    const json::value plain = plain_error(*error);
    const std::string_view type = string_at(plain.get_object(), "error_type");
    if (!type.empty()) return "error " + std::string(type);
    const json::value* code = error->if_contains("code");
    return "error " + (code != nullptr ? json::serialize(*code) : std::string("without a code")) +
           ": " + std::string(string_at(*error, "message"));
  }
  const json::object* result = object_at(response, "result");
  const std::string_view reason = result != nullptr ? string_at(*result, "stopReason") : "";
  return reason.empty() ? "no stop reason" : std::string(reason);
}

void Transcript::add(TranscriptEvent event) {
  if (!is_open_) turns_.emplace_back();
  is_open_ = true;
  turns_.back().events.push_back(std::move(event));
}

void Transcript::notification(const json::object& message) {
  const json::value* params = message.if_contains("params");
  add({TranscriptEvent::Kind::kNotification, std::string(string_at(message, "method")),
       params != nullptr ? *params : json::value()});
  ++said_;
}

void Transcript::request(const json::object& message) {
  const json::value* params = message.if_contains("params");
  add({TranscriptEvent::Kind::kRequest, std::string(string_at(message, "method")),
       params != nullptr ? *params : json::value()});
  ++said_;
}

void Transcript::response(const std::string& method, const json::object& message) {
  TranscriptEvent event{TranscriptEvent::Kind::kResponse, method, {}};
  if (const json::object* error = object_at(message, "error")) {
    event.body = plain_error(*error);
  } else if (const json::value* result = message.if_contains("result")) {
    event.body = *result;
  }
  add(std::move(event));
  if (method != "session/prompt") return;
  turns_.back().stop = stop_of(message);
  is_open_ = false;
  said_ = 0;
}

std::vector<json::value> normalised(const TranscriptTurn& turn, const TranscriptNames& names,
                                    std::vector<std::string>& ids) {
  Normaliser normaliser(names, ids);
  std::vector<json::value> out;
  for (const TranscriptEvent& event : turn.events) {
    json::object made;
    made["what"] =
        event.kind == TranscriptEvent::Kind::kResponse ? "answer to " + event.method : event.method;
    made["body"] = normaliser.value(event.body);
    json::value value(std::move(made));
    if (!out.empty() && join(out.back(), value)) continue;
    out.push_back(std::move(value));
  }
  return out;
}

std::vector<TranscriptDifference> differences(const Transcript& recorded,
                                              const TranscriptNames& recorded_names,
                                              const Transcript& replayed,
                                              const TranscriptNames& replayed_names) {
  std::vector<TranscriptDifference> found;
  std::vector<std::string> recorded_ids, replayed_ids;
  const std::size_t turns = std::max(recorded.turns().size(), replayed.turns().size());
  for (std::size_t turn = 0; turn < turns; ++turn) {
    std::vector<json::value> left, right;
    if (turn < recorded.turns().size()) {
      left = normalised(recorded.turns()[turn], recorded_names, recorded_ids);
    }
    if (turn < replayed.turns().size()) {
      right = normalised(replayed.turns()[turn], replayed_names, replayed_ids);
    }
    // A recording that ends within a turn, or behind the last one, says nothing of what followed.
    const bool is_cut = turn >= recorded.turns().size() || (turn + 1 == recorded.turns().size() &&
                                                            recorded.turns()[turn].stop.empty());
    const bool is_all = turn >= recorded.turns().size() && !replayed.turns()[turn].stop.empty();
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      if (i < left.size() && i < right.size() && left[i] == right[i]) continue;
      if (is_cut && !is_all && i >= left.size()) break;
      if (is_cut && i + 1 == left.size() && i < right.size() && is_beginning(left[i], right[i])) {
        break;
      }
      const auto [was, is] = around(i < left.size() ? json::serialize(left[i]) : "",
                                    i < right.size() ? json::serialize(right[i]) : "");
      found.push_back({turn + 1, i + 1, was, is});
      break;
    }
  }
  return found;
}

}  // namespace relay::cli
