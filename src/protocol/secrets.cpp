#include "protocol/secrets.hpp"

#include "protocol/json_text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstring>

namespace relay {
namespace json = boost::json;
namespace {

constexpr std::string_view kStars = "***";

// {"name": "A", "value": "secret"} in a list, or {"A": "secret"}.
void hide_values(json::value* list) {
  if (list == nullptr) return;
  if (auto* object = list->if_object()) {
    for (auto& member : *object) member.value() = kStars;
  } else if (auto* array = list->if_array()) {
    for (json::value& item : *array) {
      if (auto* pair = item.if_object(); pair != nullptr && pair->contains("value")) {
        (*pair)["value"] = kStars;
      }
    }
  }
}

void hide_in_mcp_servers(json::object& params) {
  json::value* servers = params.if_contains("mcpServers");
  json::array* list = servers != nullptr ? servers->if_array() : nullptr;
  if (list == nullptr) return;
  for (json::value& server : *list) {
    if (auto* object = server.if_object()) {
      hide_values(object->if_contains("env"));
      hide_values(object->if_contains("headers"));
    }
  }
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

}  // namespace

SecretRedactor::SecretRedactor(std::vector<std::string> secrets) {
  for (std::string& secret : secrets) {
    if (secret.empty()) continue;
    std::string escaped = json_string(secret);
    escaped = escaped.substr(1, escaped.size() - 2);
    if (escaped != secret) needles_.push_back(std::move(escaped));
    needles_.push_back(std::move(secret));
  }
  std::sort(needles_.begin(), needles_.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

std::optional<std::string> SecretRedactor::redact(std::string_view text) const {
  std::optional<std::string> changed;
  for (const std::string& needle : needles_) {
    const std::string_view subject = changed ? std::string_view(*changed) : text;
    if (::memmem(subject.data(), subject.size(), needle.data(), needle.size()) == nullptr) continue;
    std::string out;
    std::size_t at = 0;
    for (std::size_t hit; (hit = subject.find(needle, at)) != std::string_view::npos;) {
      out.append(subject, at, hit - at);
      out += kStars;
      at = hit + needle.size();
    }
    out.append(subject, at);
    changed = std::move(out);
  }
  return changed;
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
  const bool some =
      sets_up_session(method) || message.find("\"mcpServers\"") != std::string_view::npos;
  if (!all && !some) return std::string(message);
  boost::system::error_code failure;
  json::value document = json::parse(message, failure);
  json::object* object = failure ? nullptr : document.if_object();
  json::value* params = object != nullptr ? object->if_contains("params") : nullptr;
  if (params == nullptr) return std::string(message);
  if (all) {
    hide_all(*params);
  } else if (auto* members = params->if_object()) {
    hide_in_mcp_servers(*members);
    if (sets_up_session(method)) hide_values(members->if_contains("env"));
  }
  return json::serialize(document);
}

}  // namespace relay
