// JSON-RPC messages as this client writes and reads them. Pure.
#pragma once

#include "cli/failure.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

std::string request_text(std::int64_t id, std::string_view method, boost::json::object params);

// One JSON object; nothing when the text is anything else.
std::optional<boost::json::object> parse_object(std::string_view text);

enum class MessageKind { kRequest, kNotification, kResponse, kOther };
MessageKind kind_of(const boost::json::object& message);

// The result of a response, or the explained error. A result that is no object comes as an empty
// one.
Outcome<boost::json::object> result_of(const boost::json::object& response);

// Cuts a stream into lines; empty lines are left out.
class Lines {
 public:
  static constexpr std::size_t kMaxLine = 256u << 20;

  // Complete lines of what has come. Fails when a line grows over kMaxLine.
  Outcome<std::vector<std::string>> feed(std::string_view bytes);
  // What is left at the end of the stream, without a newline.
  std::string rest() { return std::move(buffer_); }

 private:
  std::string buffer_;
  std::size_t searched_ = 0;
};

}  // namespace relay::cli
