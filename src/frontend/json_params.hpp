// Reads members of a params object, with one error for the first that is not what it should be.
// Used by the readers of this folder.
#pragma once

#include "base/result.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::frontend {

class JsonParams {
 public:
  explicit JsonParams(std::string_view text);

  // Null for a member that is missing or null.
  const boost::json::value* find(std::string_view key) const;

  std::string text(std::string_view key);
  std::int64_t number(std::string_view key, std::int64_t fallback, std::int64_t least);
  bool flag(std::string_view key);
  std::string session_id();  // must be there
  // An absolute path of at most 4096 bytes, or empty.
  std::string path(std::string_view key);

  void fail(std::string explanation);
  const std::optional<Error>& error() const { return error_; }

 private:
  boost::json::value value_;
  std::optional<Error> error_;
};

}  // namespace relay::frontend
