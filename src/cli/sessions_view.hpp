// Sessions and messages as tables for people. Pure; members that are absent show as "-".
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::cli {

// Items of session/list.
std::string session_table(const boost::json::array& sessions);

// Items of session/history.
std::string message_table(const boost::json::array& messages);

// Entries of /api/audit.
std::string audit_table(const boost::json::array& rows);

// One line a member; nested values as JSON.
std::string details(const boost::json::object& object);

// Where the next page of a history begins: the sequence number of the last item.
std::optional<std::int64_t> last_sequence(const boost::json::array& messages);

// For a path of the management API.
std::string percent_encoded(std::string_view text);

}  // namespace relay::cli
