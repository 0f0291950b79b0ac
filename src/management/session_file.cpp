#include "management/session_file.hpp"

#include "base/wall_time.hpp"
#include "protocol/accepted_json.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/scalar_grammar.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <string>

namespace relay::management {
namespace {

namespace json = boost::json;

// What JavaScript and SQLite can both count.
constexpr std::int64_t kMaxSequence = std::int64_t{1} << 53;

constexpr const char* kExportAgain = "export the session again: acp-relay sessions export ID";

Error complaint(std::string explanation) {
  return make_error(ErrorType::kInvalidParams, std::move(explanation));
}

// The member as a value of this type, or why it is none.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  Result<std::string> text(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || !value->is_string()) return wrong(key, "a string");
    return std::string(value->get_string());
  }
  // null and a member that is left out are the empty text.
  Result<std::string> text_or_null(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || value->is_null()) return std::string();
    if (!value->is_string()) return wrong(key, "a string or null");
    return std::string(value->get_string());
  }
  Result<std::int64_t> number(std::string_view key, std::int64_t least) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < least ||
        value->get_int64() > kMaxSequence) {
      return wrong(key, "a whole number from " + std::to_string(least));
    }
    return value->get_int64();
  }
  Result<WallTime> time(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    std::optional<WallTime> read;
    if (value != nullptr && value->is_string()) read = read_rfc3339(value->get_string());
    if (!read) return wrong(key, "a time like 2026-01-31T08:15:30.123Z");
    return *read;
  }
  bool is_null(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    return value == nullptr || value->is_null();
  }

  static Error wrong(std::string_view key, const std::string& wanted) {
    return complaint("\"" + std::string(key) + "\" must be " + wanted);
  }

 private:
  const json::object& object_;
};

Result<storage::SessionRecord> read_head(const json::object& object) {
  const Members members(object);
  const auto format = members.text_or_null("format");
  const json::value* version = object.if_contains("version");
  const bool is_known =
      version != nullptr && version->is_int64() && version->get_int64() == kSessionFormatVersion;
  if (!format || *format != kSessionFormat) {
    return complaint("the file does not say \"format\":\"" + std::string(kSessionFormat) + "\"")
        .because("it was not made by 'acp-relay sessions export'")
        .suggest(kExportAgain);
  }
  if (!is_known) {
    return complaint("this version of the format is not known here; version " +
                     std::to_string(kSessionFormatVersion) + " is")
        .because("the file was exported by a later acp-relay")
        .suggest("import it with that version");
  }
  storage::SessionRecord session;
  auto id = members.text("id");
  if (!id) return id.error();
  if (!is_relay_session_id(*id)) {
    return Members::wrong("id", "the id of a session: sess_ and 32 hexadecimal digits");
  }
  session.id = SessionId(std::move(*id));
  const auto take = [&](std::string_view key, std::string& into) -> std::optional<Error> {
    auto text = members.text_or_null(key);
    if (!text) return std::move(text.error());
    into = std::move(*text);
    return std::nullopt;
  };
  const std::pair<const char*, std::string*> texts[] = {
      {"agentSessionId", &session.agent_session_id},
      {"agent", &session.agent},
      {"owner", &session.owner},
      {"workingDirectory", &session.working_directory},
      {"isolation", &session.isolation},
      {"image", &session.image},
      {"imageId", &session.image_id},
      {"title", &session.title},
      {"cause", &session.cause}};
  for (const auto& [key, into] : texts) {
    if (auto problem = take(key, *into)) return std::move(*problem);
  }
  if (!is_string_content(session.agent_session_id)) {
    return Members::wrong("agentSessionId", "an id as it is spelled in JSON, without its quotes");
  }
  if (!session.working_directory.starts_with('/')) {
    return Members::wrong("workingDirectory", "an absolute path");
  }
  if (session.isolation != "process" && session.isolation != "container") {
    return Members::wrong("isolation", "\"process\" or \"container\"");
  }
  const auto created = members.time("createdAt");
  if (!created) return created.error();
  session.created_at = *created;
  if (!members.is_null("closedAt")) {
    const auto closed = members.time("closedAt");
    if (!closed) return closed.error();
    session.closed_at = *closed;
  }
  const auto last = members.number("lastSequence", 0);
  if (!last) return last.error();
  session.last_sequence = *last;
  return session;
}

std::optional<storage::Origin> origin_of(std::string_view direction) {
  if (direction == "client_to_relay") return storage::Origin::kClient;
  if (direction == "agent_to_relay") return storage::Origin::kAgent;
  if (direction.starts_with("relay_to_")) return storage::Origin::kRelay;
  return std::nullopt;
}

std::optional<storage::MessageKind> kind_of(std::string_view type) {
  if (type == "request") return storage::MessageKind::kRequest;
  if (type == "response") return storage::MessageKind::kResponse;
  if (type == "notification") return storage::MessageKind::kNotification;
  return std::nullopt;
}

// `line` is the text of `object`: bodies and ids are taken as they are spelled there.
Result<storage::MessageRecord> read_message(const json::object& object, std::string_view line) {
  const Members members(object);
  storage::MessageRecord message;
  const auto sequence = members.number("sequence", 1);
  if (!sequence) return sequence.error();
  message.sequence = *sequence;

  const auto direction = members.text_or_null("direction");
  const auto origin = direction ? origin_of(*direction) : std::nullopt;
  if (!origin || (*origin == storage::Origin::kRelay && *direction != "relay_to_client" &&
                  *direction != "relay_to_agent")) {
    return Members::wrong("direction",
                          "one of client_to_relay, relay_to_agent, agent_to_relay, "
                          "relay_to_client");
  }
  message.origin = *origin;
  message.to_client = *origin == storage::Origin::kAgent || *direction == "relay_to_client";

  const auto type = members.text_or_null("messageType");
  const auto kind = type ? kind_of(*type) : std::nullopt;
  if (!kind) return Members::wrong("messageType", "one of request, response, notification");
  message.kind = *kind;

  auto method = members.text_or_null("method");
  if (!method) return method.error();
  if (method->empty() != (*kind == storage::MessageKind::kResponse)) {
    return Members::wrong("method", "there for requests and notifications, and null for responses");
  }
  message.method = std::move(*method);

  if (!members.is_null("jsonrpcId")) {
    const json::value& id = object.at("jsonrpcId");
    if (!id.is_string() && !id.is_number()) {
      return Members::wrong("jsonrpcId", "a number, a string or null");
    }
    message.rpc_id = object_member(line, "jsonrpcId").value_or("");
  }
  const auto time = members.time("timestamp");
  if (!time) return time.error();
  message.time = *time;

  if (const json::value* body = object.if_contains("message"); body && body->is_object()) {
    message.body = SharedBytes(std::string(object_member(line, "message").value_or("")));
    return message;
  }
  if (!members.is_null("message")) return Members::wrong("message", "a JSON-RPC message or null");
  auto raw = members.text_or_null("rawMessage");
  if (!raw) return raw.error();
  message.body = SharedBytes(std::move(*raw));
  return message;
}

Result<storage::Gap> read_gap(const json::object& object) {
  const Members members(object);
  const auto from = members.number("from", 1);
  if (!from) return from.error();
  const auto to = members.number("to", *from);
  if (!to) return to.error();
  return storage::Gap{*from, *to};
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Error SessionFileReader::at_line(std::string explanation) const {
  return complaint("line " + std::to_string(line_) +
                   " of the exported session: " + std::move(explanation))
      .with("line", line_);
}

Result<std::optional<SessionFileReader::Entry>> SessionFileReader::take(std::string_view line) {
  ++line_;
  skipped_.reset();
  if (line.size() > max_line_bytes_) {
    return at_line("it is longer than " + std::to_string(max_line_bytes_) + " bytes")
        .suggest("raise server.max_message_bytes of the relay that imports")
        .with("limit", static_cast<std::int64_t>(max_line_bytes_));
  }
  if (is_blank(line)) return std::optional<Entry>();
  auto entry = read(line);
  if (entry) return std::optional<Entry>(std::move(*entry));
  Error error = at_line(entry.error().explanation);
  error.possible_causes = std::move(entry.error().possible_causes);
  error.suggested_actions = std::move(entry.error().suggested_actions);
  if (error.suggested_actions.empty()) error.suggested_actions.emplace_back(kExportAgain);
  return error;
}

Result<SessionFileReader::Entry> SessionFileReader::read(std::string_view line) {
  boost::system::error_code failure;
  const json::value value = parse_accepted(line, failure);
  if (failure) {
    return complaint("it is not valid JSON: " + failure.message())
        .because("the file was cut off, or is no export of a session")
        .suggest(kExportAgain);
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return complaint("it is not a JSON object");
  const auto type = Members(*object).text_or_null("type");
  const std::string kind = type ? *type : std::string();
  if (!end_) {
    if (kind != "session") {
      return complaint("the first line must have \"type\":\"session\"")
          .because("the beginning of the file is missing, or it is no export of a session")
          .suggest(kExportAgain);
    }
    auto head = read_head(*object);
    if (!head) return std::move(head.error());
    end_ = head->last_sequence;
    return Entry(std::move(*head));
  }
  if (kind == "message") {
    auto message = read_message(*object, line);
    if (!message) return std::move(message.error());
    auto advanced = advance(message->sequence, message->sequence);
    if (!advanced) return std::move(advanced.error());
    ++messages_;
    return Entry(std::move(*message));
  }
  if (kind == "gap") {
    auto gap = read_gap(*object);
    if (!gap) return std::move(gap.error());
    auto advanced = advance(gap->from, gap->to);
    if (!advanced) return std::move(advanced.error());
    return Entry(*gap);
  }
  if (kind == "session") return complaint("a file holds one session, and this is a second one");
  return complaint(R"("type" must be "message" or "gap")");
}

Result<void> SessionFileReader::advance(storage::Sequence from, storage::Sequence to) {
  if (from <= reached_) {
    return complaint("the number " + std::to_string(from) + " does not come after " +
                     std::to_string(reached_))
        .because("lines were doubled or put in another order")
        .suggest("put the lines in the order of their numbers, each number once");
  }
  if (to > *end_) {
    return complaint("the number " + std::to_string(to) + " is behind lastSequence of line 1, " +
                     std::to_string(*end_))
        .suggest("raise lastSequence in line 1 when messages were added");
  }
  if (from > reached_ + 1) skipped_ = storage::Gap{reached_ + 1, from - 1};
  reached_ = to;
  return {};
}

Result<void> SessionFileReader::finish() const {
  if (!end_) {
    return complaint("the exported session is empty")
        .because("the export failed, or this is another file")
        .suggest(kExportAgain);
  }
  if (reached_ == *end_) return {};
  return complaint("the exported session ends with number " + std::to_string(reached_) +
                   ", but line 1 announces " + std::to_string(*end_))
      .because("the file was cut off")
      .suggest(kExportAgain)
      .suggest("lower lastSequence in line 1 when messages were taken out on purpose")
      .with("line", line_);
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace relay::management
