// A session's modes and models as its agent describes them (members of the answers to session/new
// and session/resume): which call puts one in force, and whether a mode acts without asking. Pure.
#pragma once

#include "cli/command.hpp"
#include "cli/failure.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace relay::cli {

struct SettingCall {
  std::string method;          // POST to the path of this name
  boost::json::object params;  // without the session's id
  std::string value;           // the id of what is put in force
};

// `wanted` is an id, or a name in any case. A mode is set with session/set_mode, or with the
// configuration option of the category "mode"; a model with the option of the category "model", or
// with session/set_model where an agent still has that. An unknown one fails with those that exist.
Outcome<SettingCall> mode_call(const boost::json::object& session, std::string_view wanted);
Outcome<SettingCall> model_call(const boost::json::object& session, std::string_view wanted);

// The id of the mode that is in force; empty: the agent has none.
std::string current_mode(const boost::json::object& session);

// A line for who expects questions, when the agent asks few or none in this mode; else empty.
std::string unasked_note(const boost::json::object& session, std::string_view mode,
                         PermissionPolicy policy);

// What to say when the agent is silent for long, where its surroundings may be the cause; else
// empty.
std::string silence_note(const boost::json::object& session);

}  // namespace relay::cli
