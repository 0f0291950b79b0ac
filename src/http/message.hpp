// HTTP requests and responses as values, the same for the server and the client.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::http {

struct Header {
  std::string name;
  std::string value;
};

using Headers = std::vector<Header>;

// The first value of a header, by case-insensitive name; empty when there is none.
std::string_view find_header(const Headers& headers, std::string_view name);

struct Request {
  std::string method = "GET";  // as sent
  std::string target = "/";    // as sent: path and query
  std::string path = "/";      // percent-decoded, without the query (server side)
  std::vector<std::pair<std::string, std::string>> query;  // decoded (server side)
  Headers headers;
  std::string body;  // kBodySlack spare bytes of capacity for the JSON parser (server side)
  std::string peer;  // remote address, "127.0.0.1:53122" (server side)
  unsigned short local_port = 0;

  std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

inline constexpr std::size_t kBodySlack = 64;

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

// "Not Found" for 404.
std::string_view reason_phrase(int status);

}  // namespace relay::http
