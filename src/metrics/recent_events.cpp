#include "metrics/recent_events.hpp"

#include "base/utf8.hpp"

#include <algorithm>

namespace relay::metrics {
namespace {

template <class Event>
void push(std::deque<Event>& events, Event event) {
  events.push_back(std::move(event));
  if (events.size() > RecentEvents::kKept) events.pop_front();
}

// At most `limit` bytes of it, not cut within a character.
std::string shortened_line(std::string text, std::size_t limit) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  if (text.size() <= limit) return text;
  std::size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text + "...";
}

// Errors about a session say which.
std::string_view session_of(const Error& error) {
  for (const auto& [name, value] : error.state) {
    const auto* const text = std::get_if<std::string>(&value);
    if (name == "session_id" && text != nullptr) return *text;
  }
  return {};
}

}  // namespace

std::string RecentEvents::kept(std::string_view text) const {
  std::string shown = redact_ ? redact_(text) : std::string(text);
  return shortened_line(as_utf8(shown), kMaxText);
}

void RecentEvents::note(AgentEvent event) {
  event.text = kept(event.text);
  push(agents_, std::move(event));
}

void RecentEvents::note_error(const Error& error, std::string_view session, WallTime now) {
  if (session.empty()) session = session_of(error);
  ErrorEvent event{now, kept(session), error.type, kept(error.explanation)};
  if (!errors_.empty()) {
    ErrorEvent& last = errors_.back();
    if (last.type == event.type && last.session == event.session && last.text == event.text) {
      last.time = now;
      ++last.times;
      return;
    }
  }
  push(errors_, std::move(event));
}

}  // namespace relay::metrics
