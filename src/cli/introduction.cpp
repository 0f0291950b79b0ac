#include "cli/introduction.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <boost/json/serialize.hpp>

namespace relay::cli {

std::string introduction(const boost::json::object& result, std::size_t most) {
  std::string told = "protocol version ";
  const boost::json::value* const version = result.if_contains("protocolVersion");
  told += version == nullptr ? "missing" : one_line(boost::json::serialize(*version), most);
  if (const boost::json::object* const info = object_at(result, "agentInfo")) {
    told += ", agent " + one_line(string_at(*info, "name"), most) + " " +
            one_line(string_at(*info, "version"), most);
  }
  return told;
}

}  // namespace relay::cli
