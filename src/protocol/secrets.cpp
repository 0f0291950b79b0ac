#include "protocol/secrets.hpp"

#include "protocol/accepted_json.hpp"
#include "protocol/hidden_parts.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstring>

namespace relay {
namespace json = boost::json;
namespace {

constexpr std::string_view kStars = "***";
constexpr std::string_view kStarsInQuotes = R"("***")";
// A shorter line of a secret is found in any text.
constexpr std::size_t kShortestLine = 8;
constexpr std::size_t kShortestPiece = 6;
constexpr std::size_t kPieceBytes = 256u << 10;
// JSON in a string of a JSON text in a string ...
constexpr int kLayers = 4;
constexpr std::string_view kMcpServers = "mcpServers";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Stars in place of the ranges, and of the escapes that a range cuts: what was JSON remains so.
std::string starred(std::string_view text, std::vector<ByteRange> ranges) {
  for (ByteRange& range : ranges) range = with_whole_escapes(text, range);
  std::string out;
  std::size_t at = 0;
  for (const HiddenPart& part : hidden_parts(text, std::move(ranges))) {
    if (part.range.begin < at) continue;
    out.append(text, at, part.range.begin - at);
    out += part.is_value ? kStarsInQuotes : kStars;
    at = part.range.end;
  }
  out.append(text, at);
  return out;
}

// {"name": "A", "value": "secret"} in a list, or {"A": "secret"}.
bool hide_values(json::value* list) {
  if (list == nullptr) return false;
  bool is_changed = false;
  if (auto* object = list->if_object()) {
    for (auto& member : *object) member.value() = kStars;
    is_changed = !object->empty();
  } else if (auto* array = list->if_array()) {
    for (json::value& item : *array) {
      if (auto* pair = item.if_object(); pair != nullptr && pair->contains("value")) {
        (*pair)["value"] = kStars;
        is_changed = true;
      }
    }
  }
  return is_changed;
}

bool hide_in_server(json::value& server) {
  auto* object = server.if_object();
  if (object == nullptr) return false;
  const bool env = hide_values(object->if_contains("env"));
  const bool headers = hide_values(object->if_contains("headers"));
  return env || headers;
}

// `mcpServers` wherever it stands: a list of servers, or servers by name.
bool hide_in_mcp_servers(json::value& value) {
  bool is_changed = false;
  if (auto* array = value.if_array()) {
    for (json::value& item : *array) is_changed |= hide_in_mcp_servers(item);
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) {
      json::value& below = member.value();
      is_changed |= hide_in_mcp_servers(below);
      if (std::string_view(member.key()) != kMcpServers) continue;
      if (auto* list = below.if_array()) {
        for (json::value& server : *list) is_changed |= hide_in_server(server);
      } else if (auto* by_name = below.if_object()) {
        for (auto& server : *by_name) is_changed |= hide_in_server(server.value());
      }
    }
  }
  return is_changed;
}

// Requests that may say which servers the agent is to use, and with which environment it starts.
bool sets_up_session(std::string_view method) {
  return method == "session/new" || method == "session/load" || method == "session/resume" ||
         method == "session/fork";
}

void hide_all(json::value& value) {
  if (auto* object = value.if_object()) {
    for (auto& member : *object) hide_all(member.value());
  } else if (auto* array = value.if_array()) {
    for (json::value& item : *array) hide_all(item);
  } else {
    value = kStars;
  }
}

bool may_name_servers(std::string_view message) {
  if (message.find(kMcpServers) != std::string_view::npos) return true;
  static const EscapeFilter kSpelled = [] {
    EscapeFilter filter;
    filter.add(kMcpServers);
    return filter;
  }();
  return kSpelled.may_spell_a_word(message) &&
         unescaped(message).text.find(kMcpServers) != std::string::npos;
}

std::optional<json::value> parsed(std::string_view message) {
  boost::system::error_code failure;
  json::value document = parse_accepted(message, failure);
  if (failure) return std::nullopt;
  return document;
}

// Frames may hold half a surrogate pair, which this parser refuses.
std::string with_whole_characters(std::string_view message) {
  std::string out;
  for (std::size_t at = 0; at < message.size();) {
    const auto escape = message[at] == '\\' ? json_escape_at(message, at) : std::nullopt;
    const std::size_t length = escape ? escape->length : 1;
    const bool is_half = length == 6 && escape->character == 0xFFFD;
    out += is_half ? std::string_view("\\ufffd") : message.substr(at, length);
    at += length;
  }
  return out;
}

// What can't be looked into is not kept.
std::string without_params(std::string_view method, std::string_view message) {
  JsonObject left;
  left.text("jsonrpc", "2.0");
  if (const auto id = object_member(message, "id")) left.raw("id", *id);
  return left.text("method", method).text("params", kStars).take();
}

}  // namespace

// All secrets at one moment. Does not change once it is in use.
struct SecretRedactor::Known {
  using Found = std::function<void(ByteRange)>;

  void add(std::vector<std::string> secrets);
  void add_lines(std::string_view secret);
  void find(std::string_view text, const Found& found) const;
  void find_spelled(std::string_view text, std::vector<ByteRange>& ranges) const;
  std::vector<ByteRange> all_in(std::string_view text) const;

  std::vector<std::string> needles;  // longest first
  EscapeFilter filter;
};

SecretRedactor::SecretRedactor() = default;
SecretRedactor::SecretRedactor(std::vector<std::string> secrets) { learn(std::move(secrets)); }
SecretRedactor::~SecretRedactor() = default;

std::shared_ptr<const SecretRedactor::Known> SecretRedactor::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

void SecretRedactor::learn(std::vector<std::string> secrets) {
  const std::lock_guard lock(mutex_);
  const std::size_t before = lasting_.size();
  for (std::string& secret : secrets) {
    const bool is_new = std::ranges::find(lasting_, secret) == lasting_.end();
    if (is_new && !secret.empty()) lasting_.push_back(std::move(secret));
  }
  if (lasting_.size() > before) know_all();
}

void SecretRedactor::learn_next(const std::string& place, std::string secret) {
  if (secret.empty()) return;
  const std::lock_guard lock(mutex_);
  std::deque<std::string>& of_place = changing_[place];
  const bool is_known = std::erase(of_place, secret) > 0;
  of_place.push_back(std::move(secret));
  if (of_place.size() > kKeptOfEach) of_place.pop_front();
  if (!is_known) know_all();
}

void SecretRedactor::know_all() {
  auto all = std::make_shared<Known>();
  std::vector<std::string> secrets = lasting_;
  for (const auto& [place, last] : changing_) {
    secrets.insert(secrets.end(), last.begin(), last.end());
  }
  all->add(std::move(secrets));
  known_ = std::move(all);
}

void SecretRedactor::Known::add(std::vector<std::string> secrets) {
  for (std::string& secret : secrets) {
    if (secret.find('\n') != std::string::npos) add_lines(secret);
    if (!secret.empty()) needles.push_back(std::move(secret));
  }
  std::sort(needles.begin(), needles.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  needles.erase(std::unique(needles.begin(), needles.end()), needles.end());
  for (const std::string& needle : needles) filter.add(needle);
}

// What shows one line after the other (stderr, a log, an answer in pieces) shows a secret so.
void SecretRedactor::Known::add_lines(std::string_view secret) {
  while (!secret.empty()) {
    const std::size_t end = std::min(secret.find('\n'), secret.size());
    std::string_view line = secret.substr(0, end);
    secret.remove_prefix(std::min(end + 1, secret.size()));
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    // The frame of a PEM text is the same in all of them.
    if (line.size() >= kShortestLine && !line.starts_with("-----")) needles.emplace_back(line);
  }
}

void SecretRedactor::Known::find(std::string_view text, const Found& found) const {
  for (const std::string& needle : needles) {
    std::size_t at = 0;
    while (at < text.size()) {
      const void* const hit =
          ::memmem(text.data() + at, text.size() - at, needle.data(), needle.size());
      if (hit == nullptr) break;
      const auto begin = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
      found({begin, begin + needle.size()});
      at = begin + needle.size();
    }
  }
}

// One piece of a text after the other, so that memory has a bound. A piece overlaps the next by
// more than the longest secret takes, every byte of it escaped in two layers.
void SecretRedactor::Known::find_spelled(std::string_view text,
                                         std::vector<ByteRange>& ranges) const {
  const std::size_t overlap = needles.front().size() * 36;
  const std::size_t step = std::max(kPieceBytes, overlap);
  for (std::size_t begin = 0; begin < text.size(); begin += step) {
    const std::size_t start = with_whole_escapes(text, {begin, begin}).begin;
    const std::string_view piece = text.substr(start, step + overlap);
    std::string layer(piece);
    std::vector<std::uint32_t> from;  // where the bytes of `layer` are in `piece`; empty: there
    for (int depth = 0; depth < kLayers && filter.may_spell_a_word(layer); ++depth) {
      Unescaped below = unescaped(layer);
      if (!from.empty()) {
        for (std::uint32_t& place : below.from) place = from[place];
      }
      from = std::move(below.from);
      layer = std::move(below.text);
      find(layer, [&](ByteRange hit) {
        // A character of several bytes came from one escape.
        const std::uint32_t last = from[hit.end - 1];
        while (hit.end + 1 < from.size() && from[hit.end] == last) ++hit.end;
        ranges.push_back({start + from[hit.begin], start + from[hit.end]});
      });
    }
  }
}

std::vector<ByteRange> SecretRedactor::Known::all_in(std::string_view text) const {
  std::vector<ByteRange> ranges;
  find(text, [&](ByteRange hit) { ranges.push_back(hit); });
  if (!needles.empty() && filter.may_spell_a_word(text)) find_spelled(text, ranges);
  return ranges;
}

std::optional<std::string> SecretRedactor::redact(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  const std::shared_ptr<const Known> all = known();
  if (!all) return std::nullopt;
  std::vector<ByteRange> ranges = all->all_in(text);
  if (ranges.empty()) return std::nullopt;
  return starred(text, std::move(ranges));
}

std::string SecretRedactor::redacted_piece(std::string_view text) const {
  const std::shared_ptr<const Known> all = known();
  if (!all) return std::string(text);
  std::vector<ByteRange> ranges = all->all_in(text);
  for (const std::string& needle : all->needles) {
    const std::size_t most = std::min(text.size(), needle.size());
    for (std::size_t size = most; size >= kShortestPiece; --size) {
      if (text.ends_with(std::string_view(needle).substr(0, size))) {
        ranges.push_back({text.size() - size, text.size()});
        break;
      }
    }
    for (std::size_t size = most; size >= kShortestPiece; --size) {
      if (text.starts_with(std::string_view(needle).substr(needle.size() - size))) {
        ranges.push_back({0, size});
        break;
      }
    }
  }
  return ranges.empty() ? std::string(text) : starred(text, std::move(ranges));
}

std::string SecretRedactor::redacted(std::string_view text) const {
  auto changed = redact(text);
  return changed ? std::move(*changed) : std::string(text);
}

Error SecretRedactor::redacted(Error error) const {
  const auto clean = [this](std::string& text) {
    if (auto changed = redact(text)) text = std::move(*changed);
  };
  clean(error.explanation);
  clean(error.details);
  clean(error.agent_error);
  for (std::string& cause : error.possible_causes) clean(cause);
  for (std::string& action : error.suggested_actions) clean(action);
  for (auto& [key, value] : error.state) {
    if (auto* text = std::get_if<std::string>(&value)) clean(*text);
  }
  return error;
}

std::string without_request_secrets(std::string_view method, std::string_view message) {
  const bool all = method == "authenticate" || method.starts_with("providers/");
  const bool some = sets_up_session(method) || may_name_servers(message);
  if (!all && !some) return std::string(message);
  std::optional<json::value> document = parsed(message);
  if (!document) document = parsed(with_whole_characters(message));
  json::object* object = document ? document->if_object() : nullptr;
  if (object == nullptr) return without_params(method, message);
  json::value* params = object->if_contains("params");
  if (params == nullptr) return std::string(message);
  if (all) {
    hide_all(*params);
    return json::serialize(*document);
  }
  bool is_changed = hide_in_mcp_servers(*params);
  if (auto* members = params->if_object(); members != nullptr && sets_up_session(method)) {
    is_changed |= hide_values(members->if_contains("env"));
  }
  return is_changed ? json::serialize(*document) : std::string(message);
}

}  // namespace relay
