// Where agents may send requests through the relay, and what is added on the way. Values; no I/O.
#pragma once

#include "http/client.hpp"

#include <string>
#include <vector>

namespace relay::egress {

// Where the credential of an upstream stands in a request.
struct CredentialPlace {
  enum class Kind { kNone, kHeader, kQuery };
  Kind kind = Kind::kNone;
  std::string name;    // of the header or of the query parameter
  std::string prefix;  // before the credential, e.g. "Bearer "
};

// What a request must look like to be let through. The path is the upstream's, without its base:
// "*" stands for one segment or a part of one, "**" at the end for any number of them.
struct AllowRule {
  std::vector<std::string> methods;  // empty: any
  std::string path = "/**";
};

struct Upstream {
  // Of the configuration, and the first segment of the path by which an agent names it.
  std::string name;
  http::Endpoint endpoint;
  std::string base_path;  // "" or "/v1": stands before what the agent asks for
  CredentialPlace credential;
  std::vector<AllowRule> allow;  // empty: everything below the base
};

}  // namespace relay::egress
