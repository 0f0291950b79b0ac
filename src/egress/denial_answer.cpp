#include "egress/denial_answer.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace relay::egress {

http::Response answer_to(const Denial& denial) {
  std::string message = "acp-relay: " + denial.explanation + ".";
  if (!denial.remedy.empty()) message += " " + denial.remedy;
  if (!denial.key.empty()) message += " (configuration key " + denial.key + ")";
  const boost::json::object error{{"type", "acp_relay_egress"},
                                  {"code", name_of(denial.refusal)},
                                  {"message", message},
                                  {"key", denial.key},
                                  {"remedy", denial.remedy}};
  http::Response response;
  response.status = denial.status;
  response.headers = {
      {"Content-Type", "application/json"},
      // The SDKs of providers try a 5xx and a 429 again by themselves.
      {"x-should-retry", denial.refusal == Refusal::kUnreachable ? "true" : "false"}};
  response.body = boost::json::serialize(boost::json::object{{"type", "error"}, {"error", error}});
  return response;
}

}  // namespace relay::egress
