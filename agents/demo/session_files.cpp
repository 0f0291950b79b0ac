#include "session_files.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

namespace demo {

namespace {

namespace json = boost::json;

// Only names that make_session_id() makes: no way out of the directory.
bool is_session_id(std::string_view id) {
  return id.starts_with("demo-") && std::all_of(id.begin() + 5, id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string path_of(const std::string& directory, std::string_view id) {
  return directory + "/" + std::string(id) + ".json";
}

json::object to_json(const Session& session) {
  json::array history;
  for (const HistoryEntry& entry : session.history) {
    history.push_back(json::object{{"fromUser", entry.from_user}, {"text", entry.text}});
  }
  return {{"cwd", session.cwd},
          {"mode", session.mode},
          {"style", session.style},
          {"thoughts", session.shows_thoughts},
          {"history", std::move(history)}};
}

// Throws what Boost.JSON does when a member is missing or of another type.
Session from_json(std::string_view id, const json::value& file) {
  Session session;
  session.id = id;
  session.cwd = json::value_to<std::string>(file.at("cwd"));
  session.mode = json::value_to<std::string>(file.at("mode"));
  session.style = json::value_to<std::string>(file.at("style"));
  session.shows_thoughts = file.at("thoughts").as_bool();
  for (const json::value& entry : file.at("history").as_array()) {
    session.remember(entry.at("fromUser").as_bool(), json::value_to<std::string>(entry.at("text")));
  }
  session.touch();
  return session;
}

}  // namespace

void save_session(const std::string& directory, const Session& session) {
  ::mkdir(directory.c_str(), 0700);
  const std::string path = path_of(directory, session.id);
  const std::string draft = path + "." + std::to_string(::getpid());
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << json::serialize(to_json(session));
  file.close();
  if (!file || std::rename(draft.c_str(), path.c_str()) != 0) std::remove(draft.c_str());
}

std::optional<Session> load_session(const std::string& directory, std::string_view id) {
  if (!is_session_id(id)) return std::nullopt;
  std::ifstream file(path_of(directory, id), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    return from_json(id, json::parse(text));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void remove_session(const std::string& directory, std::string_view id) {
  if (is_session_id(id)) std::remove(path_of(directory, id).c_str());
}

}  // namespace demo
