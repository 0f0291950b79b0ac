#include "engine/json_fields.hpp"

#include "engine/texts.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace relay::engine {

namespace json = boost::json;

Error senseless_answer(std::string_view what, std::string_view why, std::string_view text) {
  Error error = make_error(ErrorType::kInternalError,
                           fmt::format("the Engine's answer to {} makes no sense: {}", what, why));
  error.possible_causes = {"what answers at the address is not a Docker Engine",
                           "a proxy between the relay and the Engine changes answers"};
  error.suggested_actions = {"compare with what `docker version` and `docker info` say",
                             "check container.docker_host and DOCKER_HOST"};
  error.details = printable(text, 500);
  return error;
}

Result<json::value> parse_answer(std::string_view text, std::string_view what) {
  json::error_code failure;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failure);
  if (failure) return senseless_answer(what, "it is no JSON (" + failure.message() + ")", text);
  return value;
}

const json::value* JsonFields::find(std::string_view name) const {
  return object_ == nullptr ? nullptr
                            : object_->if_contains(json::string_view(name.data(), name.size()));
}

std::string JsonFields::text(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

bool JsonFields::flag(std::string_view name) const {
  const json::value* value = find(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<std::int64_t> JsonFields::number(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (!value->is_double()) return std::nullopt;
  const double real = std::trunc(value->get_double());
  constexpr double kLimit = 9.2e18;
  if (!(std::abs(real) < kLimit)) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

std::optional<std::uint64_t> JsonFields::count(std::string_view name) const {
  const json::value* value = find(name);
  if (value != nullptr && value->is_uint64()) return value->get_uint64();
  const std::optional<std::int64_t> small = number(name);
  if (!small || *small < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*small);
}

JsonFields JsonFields::object(std::string_view name) const {
  const json::value* value = find(name);
  return value == nullptr ? JsonFields() : JsonFields(*value);
}

const json::array* JsonFields::array(std::string_view name) const {
  const json::value* value = find(name);
  return value == nullptr ? nullptr : value->if_array();
}

std::vector<std::string> JsonFields::texts(std::string_view name) const {
  std::vector<std::string> out;
  const json::array* elements = array(name);
  if (elements == nullptr) return out;
  for (const json::value& element : *elements) {
    if (element.is_string()) {
      out.emplace_back(element.get_string().data(), element.get_string().size());
    }
  }
  return out;
}

std::vector<std::string> JsonFields::names(std::string_view name) const {
  std::vector<std::string> out;
  const JsonFields members = object(name);
  if (!members) return out;
  for (const auto& member : *members.object_) {
    out.emplace_back(member.key().data(), member.key().size());
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> JsonFields::pairs(std::string_view name) const {
  std::vector<std::pair<std::string, std::string>> out;
  const JsonFields members = object(name);
  if (!members) return out;
  for (const auto& member : *members.object_) {
    if (!member.value().is_string()) continue;
    const json::string& value = member.value().get_string();
    out.emplace_back(std::string(member.key().data(), member.key().size()),
                     std::string(value.data(), value.size()));
  }
  return out;
}

}  // namespace relay::engine
