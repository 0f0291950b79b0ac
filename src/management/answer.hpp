// An answer of the management port. Included by its files only.
#pragma once

#include "http/message.hpp"

#include <string>
#include <utility>

namespace relay::management {

inline http::Response answer(int status, std::string body, std::string type = "application/json") {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", std::move(type)}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

}  // namespace relay::management
