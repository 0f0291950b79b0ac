#include "cli/rpc.hpp"

#include "cli/error_view.hpp"
#include "cli/json_access.hpp"
#include "protocol/accepted_json.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace relay::cli {

namespace json = boost::json;

std::string request_text(std::int64_t id, std::string_view method, json::object params) {
  json::object message;
  message["jsonrpc"] = "2.0";
  message["id"] = id;
  message["method"] = method;
  message["params"] = std::move(params);
  return json::serialize(message);
}

std::optional<json::object> parse_object(std::string_view text) {
  boost::system::error_code error;
  json::value value = parse_accepted(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

MessageKind kind_of(const json::object& message) {
  const bool has_id = message.contains("id");
  if (!string_at(message, "method").empty()) {
    return has_id ? MessageKind::kRequest : MessageKind::kNotification;
  }
  const bool answers = message.contains("result") || message.contains("error");
  return has_id && answers ? MessageKind::kResponse : MessageKind::kOther;
}

Outcome<json::object> result_of(const json::object& response) {
  if (const json::object* error = object_at(response, "error")) return explain(*error);
  const json::object* result = object_at(response, "result");
  return result != nullptr ? *result : json::object();
}

Outcome<std::vector<std::string>> Lines::feed(std::string_view bytes) {
  buffer_ += bytes;
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end = buffer_.find('\n', searched_); end != std::string::npos;
       end = buffer_.find('\n', start)) {
    std::string_view line = std::string_view(buffer_).substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
    start = end + 1;
  }
  buffer_.erase(0, start);
  searched_ = buffer_.size();
  if (buffer_.size() > kMaxLine) {
    return Failure{ExitCode::kError, "the relay sent a line of more than 256 MiB"};
  }
  return lines;
}

}  // namespace relay::cli
