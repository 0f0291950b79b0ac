#include "http/cors.hpp"

#include <gtest/gtest.h>

namespace relay::http {
namespace {

Request with(std::string name, std::string value) {
  Request request;
  request.headers.push_back({std::move(name), std::move(value)});
  return request;
}

TEST(Cors, EchoesAnAdmittedOriginOnly) {
  Response response;
  add_cors_headers(Request(), response);
  EXPECT_TRUE(response.headers.empty());
  add_cors_headers(with("Origin", "https://page.example"), response);
  EXPECT_EQ(response.header("access-control-allow-origin"), "https://page.example");
  EXPECT_EQ(response.header("vary"), "Origin");
}

}  // namespace
}  // namespace relay::http
