#include "http/event_stream.hpp"

#include <utility>

namespace relay::http {

namespace {

void append_field(std::string& out, std::string_view name, std::string_view text) {
  for (;;) {
    const std::size_t end = text.find_first_of("\r\n");
    out.append(name).append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
}

}  // namespace

std::string sse_event(std::string_view data, std::optional<std::int64_t> id) {
  std::string out;
  out.reserve(data.size() + 40);
  if (id) append_field(out, "id: ", std::to_string(*id));
  append_field(out, "data: ", data);
  return out += '\n';
}

std::string sse_comment(std::string_view text) {
  std::string out;
  append_field(out, ": ", text);
  return out += '\n';
}

std::vector<SseEvent> SseParser::feed(std::string_view bytes) {
  std::vector<SseEvent> out;
  while (!bytes.empty() && !failed_) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + data_.size() + part.size() > max_event_bytes_) {
      failed_ = true;
      line_ = data_ = std::string();
      break;
    }
    if (end == std::string_view::npos) {
      line_.append(part);
      break;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      end_line(part, out);
    } else {
      line_.append(part);
      const std::string line = std::exchange(line_, {});
      end_line(line, out);
    }
  }
  return out;
}

void SseParser::end_line(std::string_view line, std::vector<SseEvent>& out) {
  if (std::exchange(at_start_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) return end_event(out);
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_.append(value);
  } else if (name == "event") {
    event_ = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  }
}

void SseParser::end_event(std::vector<SseEvent>& out) {
  if (has_data_) {
    out.push_back({id_, event_.empty() ? "message" : std::move(event_), std::move(data_)});
  }
  event_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace relay::http
