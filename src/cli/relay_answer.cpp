#include "cli/relay_answer.hpp"

#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"

namespace relay::cli {

namespace json = boost::json;

Outcome<std::string> clean_token(std::string_view text, const std::string& source) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  if (text.empty()) return Failure{ExitCode::kUsage, source + " holds no token"};
  for (const char c : text) {
    if (c <= ' ' || c > '~') {
      return Failure{ExitCode::kUsage,
                     source + " must hold one token: visible ASCII characters without spaces"};
    }
  }
  return std::string(text);
}

Outcome<json::object> read_result(const http::Response& response, const std::string& url) {
  const auto message = parse_object(response.body);
  if (message && (message->contains("result") || message->contains("error"))) {
    Outcome<json::object> result = result_of(*message);
    if (!result && refused(response.status)) result.error().code = ExitCode::kUnauthorized;
    return result;
  }
  const std::string status =
      std::to_string(response.status) + " " + std::string(http::reason_phrase(response.status));
  return Failure{refused(response.status) ? ExitCode::kUnauthorized : ExitCode::kError,
                 visible(url) + " answered HTTP " + status +
                     " without a JSON-RPC message\n  what to do:\n    - check that this is the "
                     "address of an acp-relay, and the right one of its ports"};
}

}  // namespace relay::cli
