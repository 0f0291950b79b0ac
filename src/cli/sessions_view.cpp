#include "cli/sessions_view.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <vector>

namespace relay::cli {
namespace {

namespace json = boost::json;

std::string plain_or_dash(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return std::string(value.get_string());
  return json::serialize(value);
}

std::string cell(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return "-";
  std::string text = plain_or_dash(*value);
  return text.empty() ? "-" : text;
}

std::string state_of(const json::object& session) {
  const json::value* active = session.if_contains("isActive");
  if (active != nullptr && active->is_bool()) return active->get_bool() ? "open" : "closed";
  return cell(session, "closedAt") == "-" ? "open" : "closed";
}

// The name, and as much of the id as tells images apart.
std::string image_of(const json::object& session) {
  constexpr std::size_t kIdDigits = 12;
  std::string id = cell(session, "imageId");
  if (id == "-") return cell(session, "image");
  if (const auto colon = id.find(':'); colon != std::string::npos) id.erase(0, colon + 1);
  return cell(session, "image") + "@" + id.substr(0, kIdDigits);
}

}  // namespace

std::string session_table(const json::array& sessions) {
  std::vector<std::vector<std::string>> rows;
  for (const json::value& item : sessions) {
    const json::object* session = item.if_object();
    if (session == nullptr) continue;
    rows.push_back({cell(*session, "id"), state_of(*session), cell(*session, "createdAt"),
                    cell(*session, "isolation"), image_of(*session),
                    cell(*session, "workingDirectory"), cell(*session, "title")});
  }
  return table({"ID", "STATE", "CREATED", "ISOLATION", "IMAGE", "DIRECTORY", "TITLE"}, rows);
}

std::string message_table(const json::array& messages) {
  std::vector<std::vector<std::string>> rows;
  for (const json::value& item : messages) {
    const json::object* message = item.if_object();
    if (message == nullptr) continue;
    rows.push_back({cell(*message, message->contains("sequence") ? "sequence" : "id"),
                    cell(*message, "timestamp"), cell(*message, "direction"),
                    cell(*message, "messageType"), cell(*message, "method"),
                    cell(*message, "jsonrpcId"), cell(*message, "rawMessage")});
  }
  return table({"SEQ", "TIME", "DIRECTION", "TYPE", "METHOD", "RPC-ID", "MESSAGE"}, rows);
}

std::string audit_table(const json::array& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const json::value& item : rows) {
    const json::object* row = item.if_object();
    if (row == nullptr) continue;
    cells.push_back({cell(*row, "time"), cell(*row, "session"), cell(*row, "principal"),
                     cell(*row, "action"), cell(*row, "detail"), cell(*row, "transport"),
                     cell(*row, "peer")});
  }
  return table({"TIME", "SESSION", "PRINCIPAL", "ACTION", "DETAIL", "TRANSPORT", "PEER"}, cells);
}

std::string details(const json::object& object) {
  std::size_t width = 0;
  for (const auto& [key, value] : object) width = std::max(width, key.size());
  std::string out;
  for (const auto& [key, value] : object) {
    std::string label(key);
    label.resize(width + 2, ' ');
    out += visible(label) + visible(plain_or_dash(value)) + "\n";
  }
  return out;
}

std::optional<std::int64_t> last_sequence(const json::array& messages) {
  if (messages.empty()) return std::nullopt;
  const json::object* last = messages.back().if_object();
  if (last == nullptr) return std::nullopt;
  for (const char* key : {"sequence", "id"}) {
    const json::value* number = last->if_contains(key);
    if (number != nullptr && number->is_int64()) return number->get_int64();
  }
  return std::nullopt;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace relay::cli
