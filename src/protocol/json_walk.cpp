#include "protocol/json_walk.hpp"

#include "protocol/relay_ids.hpp"
#include "protocol/scalar_grammar.hpp"

#include <simdjson.h>

#include <new>
#include <optional>

namespace relay::json_walk {
namespace {

namespace ondemand = simdjson::ondemand;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n' ||
                           text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

enum class Outcome { kGood, kNotJson, kTooDeep };

// Where a value stands, which decides what is noted of it.
// kEnvelope: a member that JSON-RPC itself has, which names no session whatever it is.
// kUpdate: params.update. kMeta: params._meta of a client.
enum class Place { kElsewhere, kParams, kUpdate, kMeta, kEnvelope };

Place place_of(std::string_view member) {
  if (member == "params") return Place::kParams;
  const bool is_own = member == "method" || member == "id" || member == "jsonrpc";
  return is_own ? Place::kEnvelope : Place::kElsewhere;
}

class Walk {
 public:
  Walk(const std::string& bytes, const FrameLimits& limits, ondemand::document& document,
       Envelope& found)
      : bytes_(bytes), limits_(limits), document_(document), found_(found) {}

  // Consumes one value. `key` is its spelled key, empty in arrays.
  Outcome value(ondemand::value value, std::size_t depth, Place place, std::string_view key) {
    const std::string_view token = value.raw_json_token();
    switch (token.empty() ? '\0' : token.front()) {
      case '{':
        return object(value, depth + 1, place);
      case '[':
        return array(value, depth + 1);
      case '"': {
        ondemand::raw_json_string consumed;
        if (value.get_raw_json_string().get(consumed)) return Outcome::kNotJson;
        if (place != Place::kEnvelope) note_string(span(trimmed(token)), key);
        return Outcome::kGood;
      }
      default:
        return scalar(trimmed(token));
    }
  }

  Span span(std::string_view part) const {
    return {static_cast<std::size_t>(part.data() - bytes_.data()), part.size()};
  }

  // The whole of a value that was just walked and that began with `token`. Empty: the text ends in
  // it.
  std::string_view whole(std::string_view token) {
    if (!token.starts_with('{') && !token.starts_with('[')) return token;
    const char* end = nullptr;
    if (document_.current_location().get(end)) return {};
    return trimmed({token.data(), static_cast<std::size_t>(end - token.data())});
  }

 private:
  Outcome object(ondemand::value& value, std::size_t depth, Place place) {
    if (depth > limits_.max_depth) return Outcome::kTooDeep;
    ondemand::object members;
    if (value.get_object().get(members)) return Outcome::kNotJson;
    for (auto member : members) {
      ondemand::raw_json_string raw_key;
      ondemand::value inner;
      if (member.key().get(raw_key) || member.value().get(inner)) return Outcome::kNotJson;
      const std::string_view name = spelled(raw_key);
      const std::string_view token = trimmed(inner.raw_json_token());
      const Place below = place == Place::kParams ? place_in_params(name) : Place::kElsewhere;
      const Outcome outcome = this->value(inner, depth, below, name);
      if (outcome != Outcome::kGood) return outcome;
      if (place == Place::kParams) note_param(name, token);
      if (place == Place::kUpdate) note_update(name, token);
      if (place == Place::kMeta) note_meta(name, token);
    }
    return Outcome::kGood;
  }

  Place place_in_params(std::string_view name) const {
    if (name == "update") return Place::kUpdate;
    const bool is_meta = name == "_meta" && limits_.writer == Writer::kClient;
    return is_meta ? Place::kMeta : Place::kElsewhere;
  }

  Outcome array(ondemand::value& value, std::size_t depth) {
    if (depth > limits_.max_depth) return Outcome::kTooDeep;
    ondemand::array elements;
    if (value.get_array().get(elements)) return Outcome::kNotJson;
    for (auto element : elements) {
      ondemand::value inner;
      if (element.get(inner)) return Outcome::kNotJson;
      const Outcome outcome = this->value(inner, depth, Place::kElsewhere, {});
      if (outcome != Outcome::kGood) return outcome;
    }
    return Outcome::kGood;
  }

  // A scalar need not be consumed: the iteration around it moves on by itself.
  static Outcome scalar(std::string_view token) {
    return is_json_literal(token) || is_json_number(token) ? Outcome::kGood : Outcome::kNotJson;
  }

  // The key between its quotes, as it is spelled.
  static std::string_view spelled(ondemand::raw_json_string key) {
    const char* const begin = key.raw();
    const char* end = begin;
    while (*end != '"') end += *end == '\\' ? 2 : 1;
    return {begin, static_cast<std::size_t>(end - begin)};
  }

  void note_param(std::string_view name, std::string_view token) {
    if (name == "sessionId" && token.starts_with('"')) {
      found_.session_id = span(token);
    } else if (name == "requestId" && !token.empty() &&
               (token.front() == '"' || token.front() == '-' ||
                (token.front() >= '0' && token.front() <= '9'))) {
      found_.request_id = span(token);
    } else if (name == "prompt" || (name == "content" && !found_.prompt.present())) {
      found_.prompt_key = span(name);
      found_.prompt = span(whole(token));
    }
  }

  void note_update(std::string_view name, std::string_view token) {
    if (name != "sessionUpdate" || !token.starts_with('"') || found_.update_kind.present()) return;
    found_.update_kind = span(token.substr(1, token.size() - 2));
  }

  void note_meta(std::string_view name, std::string_view token) {
    if (name != "traceparent" || !token.starts_with('"') || found_.traceparent.present()) return;
    found_.traceparent = span(token.substr(1, token.size() - 2));
  }

  void note_string(Span text, std::string_view key) {
    const bool named = key.ends_with("sessionId") ? key.size() == 9 : key.ends_with("SessionId");
    const std::string_view json = std::string_view(bytes_).substr(text.offset, text.size);
    if (named || json == limits_.watched_id || is_relay_session_id_json(json)) {
      found_.session_references.push_back(text);
    }
  }

  const std::string& bytes_;
  const FrameLimits& limits_;
  ondemand::document& document_;
  Envelope& found_;
};

FrameError failure(FrameError::Kind kind, std::string explanation) {
  FrameError error;
  error.kind = kind;
  error.explanation = std::move(explanation);
  return error;
}

// Finds a usable id in a message that is refused, so that its sender can be answered. Skips over
// values.
std::string salvage_id(ondemand::parser& parser, const std::string& bytes) {
  ondemand::document document;
  ondemand::object members;
  if (parser.iterate(bytes).get(document) || document.get_object().get(members)) return "null";
  for (auto member : members) {
    ondemand::raw_json_string key;
    ondemand::value value;
    if (member.key().get(key) || member.value().get(value)) return "null";
    if (!key.unsafe_is_equal("id")) continue;
    const std::string_view token = trimmed(value.raw_json_token());
    const bool string = token.size() >= 2 && token.front() == '"';
    return (string && escapes_are_valid(token)) || is_json_number(token) ? std::string(token)
                                                                         : "null";
  }
  return "null";
}

struct TopLevel {
  Span jsonrpc;
  bool has_result = false;
  bool has_error = false;
  bool invalid_method = false;
};

// Sets `slot` once; the second time is a duplicate.
bool set_once(Span& slot, Span value) {
  if (slot.present()) return false;
  slot = value;
  return true;
}

std::optional<FrameError> classify(const std::string& bytes, const TopLevel& top,
                                   const FrameLimits& limits, Envelope& found) {
  const auto text = [&](const Span& span) {
    return std::string_view(bytes).substr(span.offset, span.size);
  };
  if (text(top.jsonrpc) != "\"2.0\"") {
    return failure(FrameError::Kind::kInvalid, R"(the member "jsonrpc" must be "2.0")");
  }
  if (found.id.present()) {
    const std::string_view id = text(found.id);
    if (id.front() != '"' && id != "null" && !is_json_number(id)) {
      return failure(FrameError::Kind::kInvalid, "the id must be a string, a number or null");
    }
    if (id.size() > limits.max_id_bytes) {
      return failure(FrameError::Kind::kInvalid,
                     "the id is longer than " + std::to_string(limits.max_id_bytes) + " bytes");
    }
  }
  if (top.invalid_method) {
    return failure(FrameError::Kind::kInvalid, R"(the member "method" must be a non-empty string)");
  }
  if (found.method.present()) {
    if (top.has_result || top.has_error) {
      return failure(FrameError::Kind::kInvalid, "a message is either a request or a response");
    }
    found.kind = found.id.present() ? FrameKind::kRequest : FrameKind::kNotification;
    return std::nullopt;
  }
  if (!found.id.present() || top.has_result == top.has_error) {
    return failure(FrameError::Kind::kInvalid,
                   R"(a message has a "method", or an "id" and one of "result" and "error")");
  }
  found.kind = top.has_result ? FrameKind::kResult : FrameKind::kError;
  return std::nullopt;
}

FrameError explain(Outcome outcome, const FrameLimits& limits) {
  if (outcome == Outcome::kTooDeep) {
    return failure(
        FrameError::Kind::kTooDeep,
        "the message is nested more than " + std::to_string(limits.max_depth) + " levels deep");
  }
  return failure(FrameError::Kind::kNotJson, "the message is not valid JSON");
}

// One top-level member. False: a second one of its name.
bool note_member(std::string_view name, Span value, const std::string& bytes, TopLevel& top,
                 Envelope& found) {
  if (name == "jsonrpc") return set_once(top.jsonrpc, value);
  if (name == "id") return set_once(found.id, value);
  if (name == "params") return set_once(found.params, value);
  if (name == "method") {
    if (found.method.present() || top.invalid_method) return false;
    if (bytes[value.offset] != '"' || value.size <= 2) {
      top.invalid_method = true;
    } else {
      found.method = {value.offset + 1, value.size - 2};
    }
    return true;
  }
  if (name == "result" || name == "error") {
    bool& seen = name == "result" ? top.has_result : top.has_error;
    if (seen) return false;
    seen = true;
    found.result = value;
  }
  return true;
}

tl::expected<Envelope, FrameError> walk_document(ondemand::document& document,
                                                 const std::string& bytes,
                                                 const FrameLimits& limits) {
  Envelope found;
  TopLevel top;
  ondemand::json_type type;
  if (document.type().get(type)) {
    return tl::unexpected(explain(Outcome::kNotJson, limits));
  }
  if (type == ondemand::json_type::array) {
    return tl::unexpected(
        failure(FrameError::Kind::kBatch, "batches are not supported; send one message at a time"));
  }
  ondemand::object members;
  if (type != ondemand::json_type::object) {
    const bool scalar = type == ondemand::json_type::string || is_json_literal(trimmed(bytes)) ||
                        is_json_number(trimmed(bytes));
    return tl::unexpected(
        scalar ? failure(FrameError::Kind::kInvalid, "a JSON-RPC message is a JSON object")
               : explain(Outcome::kNotJson, limits));
  }
  if (document.get_object().get(members)) {
    return tl::unexpected(explain(Outcome::kNotJson, limits));
  }
  Walk walk(bytes, limits, document, found);
  for (auto member : members) {
    std::string_view name;
    ondemand::value value;
    if (member.unescaped_key().get(name) || member.value().get(value)) {
      return tl::unexpected(explain(Outcome::kNotJson, limits));
    }
    const std::string_view token = trimmed(value.raw_json_token());
    const Outcome outcome = walk.value(value, 1, place_of(name), {});
    if (outcome != Outcome::kGood) return tl::unexpected(explain(outcome, limits));
    const std::string_view whole = walk.whole(token);
    if (whole.empty()) return tl::unexpected(explain(Outcome::kNotJson, limits));
    if (!note_member(name, walk.span(whole), bytes, top, found)) {
      return tl::unexpected(failure(FrameError::Kind::kDuplicateKey,
                                    "the member \"" + std::string(name) + "\" appears twice"));
    }
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return tl::unexpected(explain(Outcome::kNotJson, limits));  // something follows the object
  }
  if (auto error = classify(bytes, top, limits, found)) return tl::unexpected(std::move(*error));
  return found;
}

// Parsers keep memory in proportion to the largest document they have seen; one that has seen a
// huge one is dropped.
constexpr std::size_t kKeepParserBelow = 1u << 20;
constexpr std::size_t kFirstCapacity = 4096;

}  // namespace

tl::expected<Envelope, FrameError> locate(const std::string& bytes, const FrameLimits& limits) {
  thread_local std::optional<ondemand::parser> kept;
  if (!kept) {
    kept.emplace();
    // Builds without optimisation check the depth against this, too.
    if (kept->allocate(kFirstCapacity, kAccepted.max_depth + 8)) throw std::bad_alloc();
  }
  ondemand::parser& parser = *kept;

  const auto run = [&]() -> tl::expected<Envelope, FrameError> {
    ondemand::document document;
    if (parser.iterate(bytes).get(document) || !escapes_are_valid(bytes)) {
      return tl::unexpected(explain(Outcome::kNotJson, limits));
    }
    auto found = walk_document(document, bytes, limits);
    return found;
  };
  auto found = run();
  if (!found && found.error().kind != FrameError::Kind::kNotJson &&
      found.error().kind != FrameError::Kind::kBatch) {
    std::string id = salvage_id(parser, bytes);
    if (id.size() <= limits.max_id_bytes) found.error().id = std::move(id);
  }
  if (bytes.size() > kKeepParserBelow) kept.reset();
  return found;
}

}  // namespace relay::json_walk
