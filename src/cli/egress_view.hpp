// What `egress check` says of a request. Pure.
#pragma once

#include "egress/tunnel_rules.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <variant>

namespace relay::cli {

struct EgressQuestion {
  std::string agent;    // "the default agent" or its name
  std::string section;  // of its keys: "agent."
  std::string method;
  std::string url;
};

using EgressVerdict = std::variant<egress::Passage, egress::TunnelPassage, egress::Denial>;

// Several lines.
std::string egress_text(const EgressQuestion& question, const EgressVerdict& verdict);
boost::json::object egress_json(const EgressQuestion& question, const EgressVerdict& verdict);

}  // namespace relay::cli
