#include "frontend/json_params.hpp"

#include "protocol/accepted_json.hpp"

namespace relay::frontend {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxPath = 4096;

}  // namespace

JsonParams::JsonParams(std::string_view text) {
  if (text.empty()) return;
  boost::system::error_code failure;
  value_ = parse_accepted(text, failure);
  if (failure || (!value_.is_object() && !value_.is_null())) fail("params must be an object");
}

const json::value* JsonParams::find(std::string_view key) const {
  const json::object* object = value_.if_object();
  const json::value* found = object != nullptr ? object->if_contains(key) : nullptr;
  return found != nullptr && !found->is_null() ? found : nullptr;
}

std::string JsonParams::text(std::string_view key) {
  const json::value* found = find(key);
  if (found == nullptr) return {};
  if (!found->is_string()) {
    fail(std::string(key) + " must be a string");
    return {};
  }
  return std::string(found->as_string());
}

std::int64_t JsonParams::number(std::string_view key, std::int64_t fallback, std::int64_t least) {
  const json::value* found = find(key);
  if (found == nullptr) return fallback;
  boost::system::error_code failure;
  const auto value = found->to_number<std::int64_t>(failure);
  if (failure || value < least) {
    fail(std::string(key) + " must be a whole number of at least " + std::to_string(least));
    return fallback;
  }
  return value;
}

bool JsonParams::flag(std::string_view key) {
  const json::value* found = find(key);
  if (found == nullptr) return false;
  if (!found->is_bool()) fail(std::string(key) + " must be true or false");
  return found->is_bool() && found->as_bool();
}

std::string JsonParams::session_id() {
  std::string id = text("sessionId");
  if (id.empty() && !error_) fail("sessionId is missing");
  return id;
}

std::string JsonParams::path(std::string_view key) {
  std::string path = text(key);
  const bool usable = path.empty() || (path.front() == '/' && path.size() <= kMaxPath &&
                                       path.find('\0') == std::string::npos);
  if (!usable) {
    fail(std::string(key) + " must be an absolute path of at most " + std::to_string(kMaxPath) +
         " bytes");
  }
  return path;
}

void JsonParams::fail(std::string explanation) {
  if (!error_) error_ = make_error(ErrorType::kInvalidParams, std::move(explanation));
}

}  // namespace relay::frontend
