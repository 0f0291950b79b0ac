#include "egress/withheld.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace relay::egress {
namespace {

constexpr std::array<std::string_view, 8> kOfTheConnection{
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate",
    "te",         "upgrade",    "content-length",   "transfer-encoding"};

constexpr std::array<std::string_view, 2> kSaidByTheRelay{"host", "expect"};

constexpr std::array<std::string_view, 18> kCredentials{"authorization",
                                                        "proxy-authorization",
                                                        "x-goog-iam-authorization-token",
                                                        "api-key",
                                                        "apikey",
                                                        "x-api-key",
                                                        "x-apikey",
                                                        "x-goog-api-key",
                                                        "access-token",
                                                        "x-access-token",
                                                        "auth-token",
                                                        "x-auth-token",
                                                        "x-auth-key",
                                                        "x-amz-security-token",
                                                        "subscription-key",
                                                        "ocp-apim-subscription-key",
                                                        "cookie",
                                                        "cookie2"};

constexpr std::array<std::string_view, 9> kOfAnotherRequest{
    "x-http-method-override", "x-http-method",  "x-method-override",
    "x-original-method",      "x-original-url", "x-original-uri",
    "x-original-host",        "x-rewrite-url",  "x-host"};

constexpr std::array<std::string_view, 7> kOfTheSender{
    "forwarded",      "x-real-ip",        "x-client-ip",     "x-cluster-client-ip",
    "true-client-ip", "cf-connecting-ip", "fastly-client-ip"};
constexpr std::string_view kForwarded = "x-forwarded-";

// Where the name of a header would be too short or is another one. The last two are Google's.
constexpr std::array<std::string_view, 5> kOnlyParameters{"key", "oauth-token", "-method",
                                                          "httpmethod", "httpheaders"};

constexpr std::array<std::string_view, 3> kHidingUsage{
    "accept-encoding", "sec-websocket-extensions", "x-goog-fieldmask"};

constexpr std::array<std::string_view, 5> kInProtocols{"api-key", "apikey", "bearer",
                                                       "authorization", "access-token"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return plain;
}

std::string plain_parameter(std::string_view name) {
  if (name.starts_with('$')) name.remove_prefix(name.starts_with("$.") ? 2 : 1);
  return plain_name(name);
}

bool is_withheld_header(std::string_view name) {
  return is_of_the_connection(name) || is_one_of(name, kSaidByTheRelay) ||
         is_one_of(name, kCredentials) || is_one_of(name, kOfAnotherRequest) ||
         is_one_of(name, kOfTheSender) || name.starts_with(kForwarded);
}

bool is_withheld_parameter(std::string_view name) {
  return is_one_of(name, kCredentials) || is_one_of(name, kOfAnotherRequest) ||
         is_one_of(name, kOnlyParameters);
}

bool is_of_the_connection(std::string_view name) { return is_one_of(name, kOfTheConnection); }

bool is_header_that_hides_usage(std::string_view name) { return is_one_of(name, kHidingUsage); }

bool is_parameter_that_hides_usage(std::string_view name, std::string_view value) {
  return name == "fields" || (name == "alt" && value != "json" && value != "sse");
}

bool is_withheld_protocol(std::string_view item) {
  const std::string plain = plain_name(item);
  return std::ranges::any_of(kInProtocols, [&plain](std::string_view word) {
    return plain.find(word) != std::string::npos;
  });
}

}  // namespace relay::egress
