// The address of an upstream. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relay::config {

struct UpstreamUrl {
  bool secure = false;    // https
  std::string host;       // an IPv6 address without its brackets
  std::string origin;     // "https://host:port", the port only where it was given
  std::string base_path;  // "" or "/v1", without a slash at its end
  // What is wrong with it, without repeating it: it may hold a password. Empty: nothing, and only
  // then the rest is of use.
  std::string problem;
};

UpstreamUrl parse_upstream_url(std::string_view url);

}  // namespace relay::config
