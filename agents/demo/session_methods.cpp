#include "agent.hpp"
#include "session_files.hpp"

#include <charconv>

namespace demo {

namespace {

namespace json = boost::json;

constexpr std::size_t kPageSize = 50;

std::string commands_update() {
  json::array commands;
  for (const CommandHelp& help : all_commands()) {
    json::object command{
        {"name", json::string(help.name.data(), help.name.size())},
        {"description", json::string(help.description.data(), help.description.size())}};
    if (!help.arguments.empty()) {
      command["input"] =
          json::object{{"hint", json::string(help.arguments.data(), help.arguments.size())}};
    }
    commands.push_back(std::move(command));
  }
  return json::serialize(json::object{{"sessionUpdate", "available_commands_update"},
                                      {"availableCommands", std::move(commands)}});
}

}  // namespace

bool Agent::handle_session_request(std::string_view id, std::string_view method,
                                   const Object& params) {
  if (method == "session/new") {
    new_session(id, params);
  } else if (method == "session/load" || method == "session/resume") {
    load_session(id, params, method == "session/load");
  } else if (method == "session/fork" && !options_.state.empty()) {
    fork_session(id, params);
  } else if (method == "session/list") {
    list_sessions(id, params);
  } else if (method == "session/close" || method == "session/delete") {
    end_session(id, params, method == "session/delete");
  } else if (method == "session/set_mode") {
    set_mode(id, params);
  } else if (method == "session/set_config_option") {
    set_config_option(id, params);
  } else {
    return false;
  }
  return true;
}

bool Agent::check_cwd(std::string_view id, const Object& params, std::string& cwd) {
  const json::string* given = text_at(params, "cwd");
  if (given == nullptr || !view(*given).starts_with('/')) {
    fail(id, kInvalidParams, "cwd must be an absolute path");
    return false;
  }
  cwd = view(*given);
  return true;
}

Agent::Object Agent::session_state(const Session& session) const {
  return {{"modes", modes_json(session)},
          {"configOptions", config_options_json(session, knows_booleans_)}};
}

void Agent::new_session(std::string_view id, const Object& params) {
  std::string cwd;
  if (!check_cwd(id, params, cwd)) return;
  const json::value* servers = params.if_contains("mcpServers");
  if (servers == nullptr || !servers->is_array()) {
    fail(id, kInvalidParams, "mcpServers must be an array");
    return;
  }
  Session session;
  session.id = make_session_id();
  session.cwd = std::move(cwd);
  begin(id, std::move(session));
}

// A session that the request has made.
void Agent::begin(std::string_view id, Session session) {
  session.touch();
  if (!options_.state.empty()) save_session(options_.state, session);
  Object result = session_state(session);
  result["sessionId"] = session.id;
  respond(id, json::serialize(result));
  update(session.id, commands_update());
  std::string key = session.id;
  sessions_.emplace(std::move(key), std::move(session));
}

Session* Agent::known_session(std::string_view id, const Object& params) {
  const json::string* session_id = text_at(params, "sessionId");
  if (session_id == nullptr) {
    fail(id, kInvalidParams, "sessionId must be a string");
    return nullptr;
  }
  auto found = sessions_.find(view(*session_id));
  if (found == sessions_.end() && !options_.state.empty()) {
    if (auto stored = demo::load_session(options_.state, view(*session_id))) {
      found = sessions_.emplace(stored->id, std::move(*stored)).first;
    }
  }
  if (found == sessions_.end()) {
    fail(id, kNotFound, "Session not found", json::object{{"sessionId", *session_id}});
    return nullptr;
  }
  return &found->second;
}

void Agent::fork_session(std::string_view id, const Object& params) {
  std::string cwd;
  if (!check_cwd(id, params, cwd)) return;
  const Session* const parent = known_session(id, params);
  if (parent == nullptr) return;
  Session session = *parent;
  session.id = make_session_id();
  session.cwd = std::move(cwd);
  session.is_open = true;
  session.has_helper = false;
  session.turn.reset();
  begin(id, std::move(session));
}

void Agent::load_session(std::string_view id, const Object& params, bool replay) {
  std::string cwd;
  if (!check_cwd(id, params, cwd)) return;
  Session* const known = known_session(id, params);
  if (known == nullptr) return;
  Session& session = *known;
  session.is_open = true;
  session.cwd = std::move(cwd);
  if (replay) {
    for (const HistoryEntry& entry : session.history) {
      std::string chunk = R"({"sessionUpdate":")";
      chunk += entry.from_user ? "user_message_chunk" : "agent_message_chunk";
      chunk += R"(","content":{"type":"text","text":)";
      append_json_string(chunk, entry.text);
      chunk += "}}";
      update(session.id, chunk);
    }
  }
  respond(id, json::serialize(session_state(session)));
  update(session.id, commands_update());
}

void Agent::list_sessions(std::string_view id, const Object& params) {
  std::size_t skipped = 0;
  if (const json::value* cursor = params.if_contains("cursor"); cursor && !cursor->is_null()) {
    const json::string* text = cursor->if_string();
    const char* end = text == nullptr ? nullptr : text->data() + text->size();
    if (end == nullptr || std::from_chars(text->data(), end, skipped).ptr != end || text->empty()) {
      fail(id, kInvalidParams, "cursor must be one that an earlier session/list gave");
      return;
    }
  }
  const json::string* cwd = text_at(params, "cwd");
  json::array page;
  std::size_t matching = 0;
  for (const auto& [name, session] : sessions_) {
    if (cwd != nullptr && view(*cwd) != session.cwd) continue;
    if (++matching > skipped && page.size() < kPageSize) page.push_back(session_info_json(session));
  }
  const std::size_t shown = skipped + page.size();
  Object result{{"sessions", std::move(page)}};
  if (shown < matching) result["nextCursor"] = std::to_string(shown);
  respond(id, json::serialize(result));
}

void Agent::end_session(std::string_view id, const Object& params, bool forget) {
  const json::string* session_id = text_at(params, "sessionId");
  if (session_id == nullptr) {
    fail(id, kInvalidParams, "sessionId must be a string");
    return;
  }
  const auto found = sessions_.find(view(*session_id));
  if (found == sessions_.end() && !forget) {
    fail(id, kNotFound, "Session not found", json::object{{"sessionId", *session_id}});
    return;
  }
  if (found != sessions_.end()) {
    if (found->second.turn) end_turn(found->second, "cancelled");
    found->second.is_open = false;
    if (forget) sessions_.erase(found);
  }
  if (forget && !options_.state.empty()) remove_session(options_.state, view(*session_id));
  respond(id, "{}");
}

Session* Agent::open_session(std::string_view id, const Object& params) {
  const json::string* session_id = text_at(params, "sessionId");
  if (session_id == nullptr) {
    fail(id, kInvalidParams, "sessionId must be a string");
    return nullptr;
  }
  const auto found = sessions_.find(view(*session_id));
  if (found == sessions_.end() || !found->second.is_open) {
    fail(id, kNotFound, "Session not found", json::object{{"sessionId", *session_id}});
    return nullptr;
  }
  return &found->second;
}

void Agent::announce_configuration(const Session& session, bool mode_changed) {
  if (mode_changed) {
    update(session.id, json::serialize(Object{{"sessionUpdate", "current_mode_update"},
                                              {"currentModeId", session.mode}}));
  }
  update(session.id,
         json::serialize(Object{{"sessionUpdate", "config_option_update"},
                                {"configOptions", config_options_json(session, knows_booleans_)}}));
}

void Agent::set_mode(std::string_view id, const Object& params) {
  Session* session = open_session(id, params);
  if (session == nullptr) return;
  const json::string* mode = text_at(params, "modeId");
  if (mode == nullptr || !is_known_mode(view(*mode))) {
    fail(id, kInvalidParams, "modeId must be \"ask\" or \"code\"");
    return;
  }
  session->mode = view(*mode);
  announce_configuration(*session, true);
  respond(id, "{}");
}

void Agent::set_config_option(std::string_view id, const Object& params) {
  Session* session = open_session(id, params);
  if (session == nullptr) return;
  const json::string* option = text_at(params, "configId");
  const json::value* value = params.if_contains("value");
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  const bool mode_changed = option != nullptr && *option == "mode";
  if (mode_changed && text != nullptr && is_known_mode(view(*text))) {
    session->mode = view(*text);
  } else if (option != nullptr && *option == "style" && text != nullptr &&
             (*text == "plain" || *text == "loud")) {
    session->style = view(*text);
  } else if (option != nullptr && *option == "thoughts" && value != nullptr && value->is_bool()) {
    session->shows_thoughts = value->get_bool();
  } else {
    fail(id, kInvalidParams, "configId or value is not one of configOptions");
    return;
  }
  announce_configuration(*session, mode_changed);
  respond(id, json::serialize(
                  Object{{"configOptions", config_options_json(*session, knows_booleans_)}}));
}

}  // namespace demo
