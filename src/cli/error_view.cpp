#include "cli/error_view.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"
#include "protocol/acp.hpp"

#include <boost/json/serialize.hpp>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDataItems = 50;
constexpr std::size_t kMaxDataItem = 4096;  // bytes

std::string plain(const json::value& value) {
  return visible(value.is_string() ? std::string_view(value.get_string()) : json::serialize(value));
}

// Lines after the first are indented as far as the first.
std::string indented(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    text.insert(at + 1, "      ");
  }
  return text;
}

std::string bullets(std::string_view heading, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string out = "\n  " + std::string(heading) + ":";
  for (const std::string& item : items) out += "\n    - " + indented(item);
  return out;
}

std::vector<std::string> texts(const json::object& data, std::string_view key) {
  std::vector<std::string> items;
  if (const json::array* list = array_at(data, key)) {
    for (const json::value& item : *list) items.push_back(plain(item));
  }
  return items;
}

// What came with an error that is not the relay's: its agent's, in whatever form.
std::vector<std::string> of_agent(const json::object& error) {
  const json::value* const data = error.if_contains("data");
  if (data == nullptr || data->is_null()) return {};
  std::vector<std::string> items;
  const json::object* const members = data->if_object();
  if (members == nullptr) return {plain(*data).substr(0, kMaxDataItem)};
  for (const auto& [key, value] : *members) {
    if (items.size() == kMaxDataItems) break;
    items.push_back((visible(std::string_view(key)) + ": " + plain(value)).substr(0, kMaxDataItem));
  }
  return items;
}

}  // namespace

Failure explain(const json::object& error) {
  static const json::object kNothing;
  const json::object* found = object_at(error, "data");
  const json::object& data = found != nullptr ? *found : kNothing;
  const std::string_view type = string_at(data, "error_type");
  std::string_view text = string_at(data, "explanation");
  if (text.empty()) text = string_at(error, "message");
  std::string out = "error";
  if (!type.empty()) {
    out = visible(type);
  } else if (const json::value* code = error.if_contains("code")) {
    out += " " + plain(*code);
  }
  out += ": " + visible(text.empty() ? "the relay gave no explanation" : text);
  out += bullets("possible causes", texts(data, "possible_causes"));
  out += bullets("what to do", texts(data, "suggested_actions"));
  std::vector<std::string> known;
  if (const json::object* state = object_at(data, "relevant_state")) {
    for (const auto& [key, value] : *state) {
      known.push_back(visible(std::string_view(key)) + ": " + plain(value));
    }
  }
  out += bullets("known", known);
  const std::string_view details = string_at(data, "details");
  if (type.empty()) {
    const json::value* const code = error.if_contains("code");
    if (code != nullptr && *code == acp::kAuthRequired) {
      out += bullets("possible causes", {std::string(acp::kLoginCause)});
      out += bullets("what to do", {std::string(acp::kLoginRemedy)});
    }
    out += bullets("data", of_agent(error));
  } else if (!details.empty()) {
    out += bullets("details", {visible(details)});
  }
  const bool refused = type == "unauthorized" || type == "forbidden";
  return Failure{refused ? ExitCode::kUnauthorized : ExitCode::kError, std::move(out)};
}

std::string explain(const Error& error) {
  return visible(error.explanation) + bullets("possible causes", error.possible_causes) +
         bullets("what to do", error.suggested_actions);
}

}  // namespace relay::cli
