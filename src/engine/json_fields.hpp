// Reading members of JSON objects that may be anything. For the readers of this folder.
//
// A member that is missing or of another type reads as empty, false or zero; what must be there is
// checked by its reader. A JsonFields points into the parsed value and must not outlive it.
#pragma once

#include "base/result.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::engine {

// Fails with internal_error that says what the answer was to and how the text begins.
Result<boost::json::value> parse_answer(std::string_view text, std::string_view what);
Error senseless_answer(std::string_view what, std::string_view why, std::string_view text);

class JsonFields {
 public:
  JsonFields() = default;
  explicit JsonFields(const boost::json::value& value) : object_(value.if_object()) {}

  // False: it is no object.
  explicit operator bool() const { return object_ != nullptr; }

  const boost::json::value* find(std::string_view name) const;
  std::string text(std::string_view name) const;
  bool flag(std::string_view name) const;
  // Fractions are cut off; a number out of range is no number.
  std::optional<std::int64_t> number(std::string_view name) const;
  std::optional<std::uint64_t> count(std::string_view name) const;
  JsonFields object(std::string_view name) const;
  const boost::json::array* array(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;  // those elements that are strings
  std::vector<std::string> names(std::string_view name) const;  // of an object's members
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view name) const;

 private:
  const boost::json::object* object_ = nullptr;
};

}  // namespace relay::engine
