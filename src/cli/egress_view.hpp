// What `egress check` says of a request. Pure.
#pragma once

#include "egress/access.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace relay::cli {

struct EgressQuestion {
  std::string agent;  // "the default agent" or its name
  std::string method;
  std::string url;
};

// Several lines.
std::string egress_text(const EgressQuestion& question, const egress::Verdict& verdict);
boost::json::object egress_json(const EgressQuestion& question, const egress::Verdict& verdict);

}  // namespace relay::cli
