#include "session.hpp"

#include <ctime>
#include <sys/random.h>
#include <utility>

namespace demo {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxHistoryBytes = 1024 * 1024;
constexpr std::size_t kMaxTitleBytes = 60;

json::object choice(const char* value, const char* name) {
  return {{"value", value}, {"name", name}};
}

}  // namespace

void Session::remember(bool from_user, std::string text) {
  if (text.empty()) return;
  if (from_user && title.empty()) {
    std::size_t end = std::min(text.find('\n'), std::min(text.size(), kMaxTitleBytes));
    while (end > 0 && end < text.size() &&
           (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) {
      --end;
    }
    title = text.substr(0, end);
  }
  history_bytes += text.size();
  history.push_back({from_user, std::move(text)});
  while (history_bytes > kMaxHistoryBytes && history.size() > 1) {
    history_bytes -= history.front().text.size();
    history.pop_front();
  }
}

void Session::touch() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  updated_at.assign(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc));
}

std::string make_session_id() {
  unsigned char bytes[8] = {};
  // Eight bytes always come whole, and an unlucky zero id is still an id.
  [[maybe_unused]] const ssize_t count = ::getrandom(bytes, sizeof bytes, 0);
  constexpr char kHex[] = "0123456789abcdef";
  std::string id = "demo-";
  for (const unsigned char byte : bytes) {
    id += kHex[byte >> 4U];
    id += kHex[byte & 15U];
  }
  return id;
}

bool is_known_mode(std::string_view mode) { return mode == "ask" || mode == "code"; }

json::object modes_json(const Session& session) {
  return {{"currentModeId", session.mode},
          {"availableModes",
           json::array{
               json::object{{"id", "ask"}, {"name", "Ask"}, {"description", "Answers questions"}},
               json::object{{"id", "code"}, {"name", "Code"}, {"description", "Changes files"}}}}};
}

json::array config_options_json(const Session& session, bool with_booleans) {
  json::array options{
      json::object{{"id", "mode"},
                   {"name", "Mode"},
                   {"category", "mode"},
                   {"type", "select"},
                   {"currentValue", session.mode},
                   {"options", json::array{choice("ask", "Ask"), choice("code", "Code")}}},
      json::object{
          {"id", "style"},
          {"name", "Style"},
          {"description", "How text is echoed"},
          {"type", "select"},
          {"currentValue", session.style},
          {"options", json::array{choice("plain", "As it is"), choice("loud", "In capitals")}}}};
  if (with_booleans) {
    options.push_back(json::object{{"id", "thoughts"},
                                   {"name", "Thoughts"},
                                   {"description", "Whether a thought comes before each answer"},
                                   {"type", "boolean"},
                                   {"currentValue", session.shows_thoughts}});
  }
  return options;
}

json::object session_info_json(const Session& session) {
  json::object info{
      {"sessionId", session.id}, {"cwd", session.cwd}, {"updatedAt", session.updated_at}};
  if (!session.title.empty()) info["title"] = session.title;
  return info;
}

}  // namespace demo
